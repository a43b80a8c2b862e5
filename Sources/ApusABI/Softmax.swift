// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import CApus

/// A header's rank and sizes.
func shape(_ shape: UnsafePointer<Int64>?, _ rank: Int32) throws(ApusError) -> [Int] {
  if rank < 0 || rank > APUS_MAX_RANK { throw .invalid("rank", rank, "it must be 0 to \(APUS_MAX_RANK)") }
  guard let shape else {
    if rank == 0 { return [] }
    throw .invalid("shape", "NULL", "it must point to \(rank) sizes")
  }
  return (0..<Int(rank)).map { Int(shape[$0]) }
}

private func softmax(_ pointer: UnsafePointer<apus_softmax_desc>?) throws(ApusError) -> Softmax {
  let desc = try require(pointer, "desc") { $0.struct_size }.pointee
  return Softmax(
    dataType: try require(desc.dtype, "dtype", DataType.self),
    isLogarithm: try requireFlag(desc.logarithm, "logarithm"), outer: Int(desc.outer), size: Int(desc.size),
    inner: Int(desc.inner))
}

@c(apus_softmax_desc_init) @implementation
public func apus_softmax_desc_init(
  _ desc: UnsafeMutablePointer<apus_softmax_desc>?, _ dtype: Int32, _ rank: Int32, _ sizes: UnsafePointer<Int64>?,
  _ axis: Int32
) -> apus_status {
  status { () throws(ApusError) in
    let softmax = try Softmax(
      dataType: require(dtype, "dtype", DataType.self), shape: shape(sizes, rank), axis: Int(axis))
    var result = apus_softmax_desc()
    result.struct_size = MemoryLayout<apus_softmax_desc>.size
    result.dtype = dtype
    result.outer = Int64(softmax.outer)
    result.size = Int64(softmax.size)
    result.inner = Int64(softmax.inner)
    try fill(desc, "desc", result)
  }
}

@c(apus_softmax_forward) @implementation
public func apus_softmax_forward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_softmax_desc>?, _ x: UnsafeRawPointer?,
  _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try softmax(desc).forward(context: ExecutionContext.from(context), x: x, y: y)
  }
}

@c(apus_softmax_backward) @implementation
public func apus_softmax_backward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_softmax_desc>?, _ y: UnsafeRawPointer?,
  _ dy: UnsafeRawPointer?, _ dx: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try softmax(desc).backward(context: ExecutionContext.from(context), y: y, dy: dy, dx: dx)
  }
}
