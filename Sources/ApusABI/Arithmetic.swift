// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

/// The engine's view of the caller's tensor, without an allocation.
func strided(_ pointer: UnsafePointer<apus_tensor>?, _ name: String) throws(ApusError) -> StridedTensor {
  let pointer = try require(pointer, name) { $0.struct_size }
  let rank = pointer.pointee.rank
  if rank < 0 || rank > APUS_MAX_RANK { throw .invalid("\(name)->rank", rank, "it must be 0 to \(APUS_MAX_RANK)") }
  guard let type = DataType(rawValue: pointer.pointee.dtype) else {
    throw .invalid("\(name)->dtype", pointer.pointee.dtype, "it must be a type of the header")
  }
  var result = StridedTensor(type)
  let raw = UnsafeRawPointer(pointer)
  guard let shape = MemoryLayout<apus_tensor>.offset(of: \.shape),
    let strides = MemoryLayout<apus_tensor>.offset(of: \.strides)
  else { return result }
  for i in 0..<Int(rank) {
    try result.append(
      size: Int(raw.load(fromByteOffset: shape + 8 * i, as: Int64.self)),
      stride: Int(raw.load(fromByteOffset: strides + 8 * i, as: Int64.self)), name: name)
  }
  return result
}

@c(apus_binary) @implementation
public func apus_binary(
  _ context: OpaquePointer?, _ function: Int32, _ a_tensor: UnsafePointer<apus_tensor>?, _ a: UnsafeRawPointer?,
  _ b_tensor: UnsafePointer<apus_tensor>?, _ b: UnsafeRawPointer?, _ y_tensor: UnsafePointer<apus_tensor>?,
  _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    if function == BinaryFunction.prelu.rawValue || BinaryFunction(rawValue: function) == nil {
      throw .invalid("function", function, "it must be one of APUS_BINARY_..., which are 0 to 12")
    }
    try Arithmetic.binary(
      require(function, "function", BinaryFunction.self), context: ExecutionContext.from(context),
      strided(a_tensor, "a_tensor"), a, strided(b_tensor, "b_tensor"), b, strided(y_tensor, "y_tensor"), y)
  }
}

@c(apus_select) @implementation
public func apus_select(
  _ context: OpaquePointer?, _ condition_tensor: UnsafePointer<apus_tensor>?, _ condition: UnsafeRawPointer?,
  _ a_tensor: UnsafePointer<apus_tensor>?, _ a: UnsafeRawPointer?, _ b_tensor: UnsafePointer<apus_tensor>?,
  _ b: UnsafeRawPointer?, _ y_tensor: UnsafePointer<apus_tensor>?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try Arithmetic.select(
      context: ExecutionContext.from(context), strided(condition_tensor, "condition_tensor"), condition,
      strided(a_tensor, "a_tensor"), a, strided(b_tensor, "b_tensor"), b, strided(y_tensor, "y_tensor"), y)
  }
}
