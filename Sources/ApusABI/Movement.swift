// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

@c(apus_copy) @implementation
public func apus_copy(
  _ context: OpaquePointer?, _ x_tensor: UnsafePointer<apus_tensor>?, _ x: UnsafeRawPointer?,
  _ y_tensor: UnsafePointer<apus_tensor>?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try Movement.copy(
      context: ExecutionContext.from(context), strided(x_tensor, "x_tensor"), x, strided(y_tensor, "y_tensor"), y)
  }
}

@c(apus_fill) @implementation
public func apus_fill(
  _ context: OpaquePointer?, _ value: Double, _ y_tensor: UnsafePointer<apus_tensor>?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try Movement.fill(context: ExecutionContext.from(context), strided(y_tensor, "y_tensor"), y, value: value)
  }
}

@c(apus_concatenate) @implementation
public func apus_concatenate(
  _ context: OpaquePointer?, _ axis: Int32, _ count: Int64, _ x_tensors: UnsafePointer<UnsafePointer<apus_tensor>?>?,
  _ x: UnsafePointer<UnsafeRawPointer?>?, _ y_tensor: UnsafePointer<apus_tensor>?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    if count > 0 && (x_tensors == nil || x == nil) {
      throw .invalid(x_tensors == nil ? "x_tensors" : "x", "NULL", "it must point to \(count) of them")
    }
    try Movement.concatenate(
      context: ExecutionContext.from(context), axis: Int(axis), count: Int(count),
      { i throws(ApusError) in (try strided(x_tensors?[i], "x_tensors[\(i)]"), x?[i]) }, strided(y_tensor, "y_tensor"),
      y)
  }
}

@c(apus_split) @implementation
public func apus_split(
  _ context: OpaquePointer?, _ axis: Int32, _ x_tensor: UnsafePointer<apus_tensor>?, _ x: UnsafeRawPointer?,
  _ count: Int64, _ y_tensors: UnsafePointer<UnsafePointer<apus_tensor>?>?,
  _ y: UnsafePointer<UnsafeMutableRawPointer?>?
) -> apus_status {
  status { () throws(ApusError) in
    if count > 0 && (y_tensors == nil || y == nil) {
      throw .invalid(y_tensors == nil ? "y_tensors" : "y", "NULL", "it must point to \(count) of them")
    }
    try Movement.split(
      context: ExecutionContext.from(context), axis: Int(axis), count: Int(count), strided(x_tensor, "x_tensor"), x
    ) { i throws(ApusError) in (try strided(y_tensors?[i], "y_tensors[\(i)]"), y?[i]) }
  }
}

private func padding(
  _ mode: Int32, _ before: UnsafePointer<Int64>?, _ tensor: StridedTensor
) throws(ApusError) -> Padding {
  let mode = try require(mode, "mode", PaddingMode.self)
  var numbers = InlineArray<8, Int>(repeating: 0)
  if tensor.rank > 0 {
    guard let before else { throw .invalid("before", "NULL", "it must point to \(tensor.rank) numbers") }
    for i in 0..<tensor.rank { numbers[i] = Int(before[i]) }
  }
  return Padding(mode, before: numbers)
}

@c(apus_pad) @implementation
public func apus_pad(
  _ context: OpaquePointer?, _ mode: Int32, _ value: Double, _ before: UnsafePointer<Int64>?,
  _ x_tensor: UnsafePointer<apus_tensor>?, _ x: UnsafeRawPointer?, _ y_tensor: UnsafePointer<apus_tensor>?,
  _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    let tensor = try strided(x_tensor, "x_tensor")
    var padding = try padding(mode, before, tensor)
    padding.value = value
    try padding.forward(context: ExecutionContext.from(context), tensor, x, strided(y_tensor, "y_tensor"), y)
  }
}

@c(apus_pad_backward) @implementation
public func apus_pad_backward(
  _ context: OpaquePointer?, _ mode: Int32, _ before: UnsafePointer<Int64>?, _ dy_tensor: UnsafePointer<apus_tensor>?,
  _ dy: UnsafeRawPointer?, _ dx_tensor: UnsafePointer<apus_tensor>?, _ dx: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    let tensor = try strided(dy_tensor, "dy_tensor")
    try padding(mode, before, tensor)
      .backward(context: ExecutionContext.from(context), tensor, dy, strided(dx_tensor, "dx_tensor"), dx)
  }
}

/// The header's struct for a view.
private func store(_ view: StridedTensor, _ result: UnsafeMutablePointer<apus_tensor>?) throws(ApusError) {
  guard let result else { throw .invalid("view", "NULL", "it must point to a struct") }
  var tensor = apus_tensor()
  tensor.struct_size = MemoryLayout<apus_tensor>.size
  tensor.dtype = view.dataType.rawValue
  tensor.rank = Int32(view.rank)
  withUnsafeMutableBytes(of: &tensor.shape) {
    for i in 0..<8 { $0.storeBytes(of: Int64(view.shape[i]), toByteOffset: 8 * i, as: Int64.self) }
  }
  withUnsafeMutableBytes(of: &tensor.strides) {
    for i in 0..<8 { $0.storeBytes(of: Int64(view.strides[i]), toByteOffset: 8 * i, as: Int64.self) }
  }
  result.pointee = tensor
}

@c(apus_tensor_permute) @implementation
public func apus_tensor_permute(
  _ tensor: UnsafePointer<apus_tensor>?, _ axes: UnsafePointer<Int32>?, _ view: UnsafeMutablePointer<apus_tensor>?
) -> apus_status {
  status { () throws(ApusError) in
    let tensor = try strided(tensor, "tensor")
    guard let axes else { throw .invalid("axes", "NULL", "it must point to \(tensor.rank) numbers") }
    var seen = 0
    var result = StridedTensor(tensor.dataType)
    for i in 0..<tensor.rank {
      let axis = Int(axes[i])
      if axis < 0 || axis >= tensor.rank || seen >> axis & 1 == 1 {
        throw .invalid("axes[\(i)]", axis, "axes must be a permutation of 0 to \(tensor.rank - 1)")
      }
      seen |= 1 << axis
      try result.append(size: tensor.shape[axis], stride: tensor.strides[axis], name: "view")
    }
    try store(result, view)
  }
}

@c(apus_tensor_slice) @implementation
public func apus_tensor_slice(
  _ tensor: UnsafePointer<apus_tensor>?, _ axis: Int32, _ start: Int64, _ count: Int64, _ step: Int64,
  _ view: UnsafeMutablePointer<apus_tensor>?, _ offset: UnsafeMutablePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    let tensor = try strided(tensor, "tensor")
    _ = try tensor.checkedCount("tensor")
    if axis < 0 || Int(axis) >= tensor.rank {
      throw .invalid("axis", axis, "the tensor \(tensor.text) has the axes 0 to \(tensor.rank - 1)")
    }
    guard let offset else { throw .invalid("offset", "NULL", "it must point to where the number goes") }
    let size = tensor.shape[Int(axis)]
    let stride = tensor.strides[Int(axis)]
    if count < 0 || count > size && step != 0 { throw .invalid("count", count, "it must be 0 to \(size)") }
    if count > 0 {
      let (way, overflow) = Int(step).multipliedReportingOverflow(by: Int(count) - 1)
      let (last, beyond) = Int(start).addingReportingOverflow(way)
      if overflow || beyond || start < 0 || start >= size || last < 0 || last >= size {
        throw .invalid("start", start, "\(count) elements with step \(step) must lie in 0 to \(size - 1)")
      }
    }
    var result = StridedTensor(tensor.dataType)
    for i in 0..<tensor.rank {
      let isCut = i == Int(axis)
      try result.append(
        size: isCut ? Int(count) : tensor.shape[i], stride: isCut ? stride &* Int(step) : tensor.strides[i],
        name: "view")
    }
    try store(result, view)
    offset.pointee = count > 0 ? Int64(Int(start) * stride) : 0
  }
}

private func gather(
  _ dtype: Int32, _ index_type: Int32, _ outer: Int64, _ size: Int64, _ inner: Int64, _ count: Int64
) throws(ApusError) -> AxisGather {
  AxisGather(
    dataType: try require(dtype, "dtype", DataType.self),
    indexType: try requireIndexType(index_type), outer: Int(outer), size: Int(size),
    inner: Int(inner), count: Int(count))
}

@c(apus_gather) @implementation
public func apus_gather(
  _ context: OpaquePointer?, _ dtype: Int32, _ outer: Int64, _ size: Int64, _ inner: Int64, _ x: UnsafeRawPointer?,
  _ index_type: Int32, _ count: Int64, _ indices: UnsafeRawPointer?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try gather(dtype, index_type, outer, size, inner, count)
      .gather(context: ExecutionContext.from(context), x: x, indices: indices, y: y)
  }
}

@c(apus_scatter_add) @implementation
public func apus_scatter_add(
  _ context: OpaquePointer?, _ dtype: Int32, _ outer: Int64, _ size: Int64, _ inner: Int64, _ x: UnsafeRawPointer?,
  _ index_type: Int32, _ count: Int64, _ indices: UnsafeRawPointer?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try gather(dtype, index_type, outer, size, inner, count)
      .scatterAdd(context: ExecutionContext.from(context), x: x, indices: indices, y: y)
  }
}

@c(apus_one_hot) @implementation
public func apus_one_hot(
  _ dtype: Int32, _ size: Int64, _ index_type: Int32, _ count: Int64, _ indices: UnsafeRawPointer?,
  _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try gather(dtype, index_type, 1, size, 1, count).oneHot(indices: indices, y: y)
  }
}
