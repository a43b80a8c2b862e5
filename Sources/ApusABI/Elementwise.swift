// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

/// The struct behind a pointer, for functions that fill it in.
func fill<T>(_ pointer: UnsafeMutablePointer<T>?, _ name: String, _ value: T) throws(ApusError) {
  guard let pointer else { throw .invalid(name, "NULL", "it must point to a struct") }
  pointer.pointee = value
}

private func elementwise(_ pointer: UnsafePointer<apus_elementwise_desc>?) throws(ApusError) -> Elementwise {
  let desc = try require(pointer, "desc") { $0.struct_size }.pointee
  var result = Elementwise(
    try require(desc.function, "function", ElementFunction.self),
    dataType: try require(desc.dtype, "dtype", DataType.self), count: Int(desc.count))
  result.alpha = desc.alpha
  result.beta = desc.beta
  result.fromOutput = try requireFlag(desc.from_output, "from_output")
  result.accumulates = try requireFlag(desc.accumulate, "accumulate")
  return result
}

@c(apus_elementwise_desc_init) @implementation
public func apus_elementwise_desc_init(
  _ desc: UnsafeMutablePointer<apus_elementwise_desc>?, _ dtype: Int32, _ function: Int32, _ count: Int64
) -> apus_status {
  status { () throws(ApusError) in
    var result = apus_elementwise_desc()
    result.struct_size = MemoryLayout<apus_elementwise_desc>.size
    result.dtype = dtype
    result.function = function
    result.count = count
    if let known = ElementFunction(rawValue: function) { (result.alpha, result.beta) = known.defaults }
    try fill(desc, "desc", result)
  }
}

@c(apus_elementwise_forward) @implementation
public func apus_elementwise_forward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_elementwise_desc>?, _ x: UnsafeRawPointer?,
  _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try elementwise(desc).forward(context: ExecutionContext.from(context), x: x, y: y)
  }
}

@c(apus_elementwise_backward) @implementation
public func apus_elementwise_backward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_elementwise_desc>?, _ saved: UnsafeRawPointer?,
  _ dy: UnsafeRawPointer?, _ dx: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try elementwise(desc).backward(context: ExecutionContext.from(context), saved: saved, dy: dy, dx: dx)
  }
}

@c(apus_prelu_forward) @implementation
public func apus_prelu_forward(
  _ context: OpaquePointer?, _ dtype: Int32, _ outer: Int64, _ channels: Int64, _ inner: Int64,
  _ x: UnsafeRawPointer?, _ slopes: UnsafeRawPointer?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    let prelu = PReLU(
      dataType: try require(dtype, "dtype", DataType.self), outer: Int(outer), channels: Int(channels),
      inner: Int(inner))
    try prelu.forward(context: ExecutionContext.from(context), x: x, slopes: slopes, y: y)
  }
}

@c(apus_prelu_backward) @implementation
public func apus_prelu_backward(
  _ context: OpaquePointer?, _ dtype: Int32, _ outer: Int64, _ channels: Int64, _ inner: Int64,
  _ x: UnsafeRawPointer?, _ slopes: UnsafeRawPointer?, _ dy: UnsafeRawPointer?, _ dx: UnsafeMutableRawPointer?,
  _ dslopes: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    let prelu = PReLU(
      dataType: try require(dtype, "dtype", DataType.self), outer: Int(outer), channels: Int(channels),
      inner: Int(inner))
    try prelu.backward(
      context: ExecutionContext.from(context), x: x, slopes: slopes, dy: dy, dx: dx, dslopes: dslopes)
  }
}
