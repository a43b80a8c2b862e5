// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

@c(apus_embedding_desc_init) @implementation
public func apus_embedding_desc_init(
  _ desc: UnsafeMutablePointer<apus_embedding_desc>?, _ dtype: Int32, _ rows: Int64, _ width: Int64, _ count: Int64
) -> apus_status {
  status { () throws(ApusError) in
    var result = apus_embedding_desc()
    result.struct_size = MemoryLayout<apus_embedding_desc>.size
    result.dtype = dtype
    result.index_type = Int32(APUS_INT32)
    result.rows = rows
    result.width = width
    result.count = count
    result.padding_index = -1
    try fill(desc, "desc", result)
  }
}

private func embedding(_ pointer: UnsafePointer<apus_embedding_desc>?) throws(ApusError) -> Embedding {
  let desc = try require(pointer, "desc") { $0.struct_size }.pointee
  var result = Embedding(
    dataType: try require(desc.dtype, "dtype", DataType.self), rows: Int(desc.rows), width: Int(desc.width),
    count: Int(desc.count))
  result.indexType = try requireIndexType(desc.index_type)
  if desc.padding_index != -1 { result.paddingIndex = Int(desc.padding_index) }
  return result
}

@c(apus_embedding_forward) @implementation
public func apus_embedding_forward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_embedding_desc>?, _ table: UnsafeRawPointer?,
  _ indices: UnsafeRawPointer?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try embedding(desc).forward(context: ExecutionContext.from(context), table: table, indices: indices, y: y)
  }
}

@c(apus_embedding_backward) @implementation
public func apus_embedding_backward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_embedding_desc>?, _ dy: UnsafeRawPointer?,
  _ indices: UnsafeRawPointer?, _ accumulate: Int32, _ dtable: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try embedding(desc).backward(
      context: ExecutionContext.from(context), dy: dy, indices: indices, dtable: dtable,
      accumulates: requireFlag(accumulate, "accumulate"))
  }
}
