// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import CApus

@c(apus_tensor_init) @implementation
public func apus_tensor_init(
  _ tensor: UnsafeMutablePointer<apus_tensor>?, _ dtype: Int32, _ rank: Int32, _ shape: UnsafePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let tensor else { throw .invalid("tensor", "NULL", "it must point to a struct") }
    if rank < 0 || rank > APUS_MAX_RANK { throw .invalid("rank", rank, "it must be 0 to \(APUS_MAX_RANK)") }
    if shape == nil && rank > 0 { throw .invalid("shape", "NULL", "it must point to \(rank) sizes") }
    let sizes = (0..<Int(rank)).map { Int(shape![$0]) }
    let descriptor = try TensorDescriptor(dataType: require(dtype, "dtype", DataType.self), shape: sizes)
    tensor.pointee = apus_tensor()
    tensor.pointee.struct_size = MemoryLayout<apus_tensor>.size
    tensor.pointee.dtype = dtype
    tensor.pointee.rank = rank
    withUnsafeMutableBytes(of: &tensor.pointee.shape) { $0.copyBytes(from: descriptor.shape.map(Int64.init)) }
    withUnsafeMutableBytes(of: &tensor.pointee.strides) { $0.copyBytes(from: descriptor.strides.map(Int64.init)) }
  }
}

extension UnsafeMutableRawBufferPointer {
  fileprivate func copyBytes(from numbers: [Int64]) { numbers.withUnsafeBytes { copyMemory(from: $0) } }
}

/// The engine's descriptor of the caller's tensor.
func tensor(_ pointer: UnsafePointer<apus_tensor>?, _ name: String) throws(ApusError) -> TensorDescriptor {
  let tensor = try require(pointer, name) { $0.struct_size }.pointee
  if tensor.rank < 0 || tensor.rank > APUS_MAX_RANK {
    throw .invalid("\(name)->rank", tensor.rank, "it must be 0 to \(APUS_MAX_RANK)")
  }
  func numbers<T>(_ tuple: T) -> [Int] {
    withUnsafeBytes(of: tuple) { $0.bindMemory(to: Int64.self).prefix(Int(tensor.rank)).map(Int.init) }
  }
  return try TensorDescriptor(
    dataType: require(tensor.dtype, "\(name)->dtype", DataType.self), shape: numbers(tensor.shape),
    strides: numbers(tensor.strides))
}
