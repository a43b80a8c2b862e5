/// A strided view of memory: type, shape and the distance in elements between neighbours along each dimension.
public struct TensorDescriptor: Sendable, Equatable {
  /// Dimensions at most, as in the C header.
  public static let maximumRank = 8

  /// Type of every element.
  public let dataType: DataType
  /// Size of each dimension, at least 0; empty for a scalar.
  public let shape: [Int]
  /// Elements between neighbours, one number for each dimension.
  public let strides: [Int]

  /// Dense, with the last dimension contiguous. Throws where a size is negative, the rank is above `maximumRank` or the
  /// bytes overflow.
  public init(dataType: DataType, shape: [Int]) throws(ApusError) {
    var strides = [Int](repeating: 1, count: shape.count)
    var count = CheckedSize(1)
    for i in shape.indices.reversed() {
      strides[i] = count.value
      count = count * max(1, shape[i])
    }
    if (count * dataType.size).overflowed {
      throw ApusError(.invalidArgument, "shape is \(shape), but its size in bytes must fit 63 bits")
    }
    try self.init(dataType: dataType, shape: shape, strides: strides)
  }

  /// Any strides. Throws where a size is negative, the rank is above `maximumRank` or shape and strides differ in length.
  public init(dataType: DataType, shape: [Int], strides: [Int]) throws(ApusError) {
    if shape.count > Self.maximumRank {
      throw .invalid("rank", shape.count, "it must be 0 to \(Self.maximumRank)")
    }
    if shape.count != strides.count {
      throw .invalid("strides", strides, "there must be one for each of the \(shape.count) dimensions")
    }
    for (i, size) in shape.enumerated() where size < 0 {
      throw .invalid("shape[\(i)]", size, "a size must be at least 0")
    }
    self.dataType = dataType
    self.shape = shape
    self.strides = strides
  }
}
