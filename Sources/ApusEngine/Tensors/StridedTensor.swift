/// A strided view of memory like `TensorDescriptor`, in a value of fixed size: calls that have no plan take it, because they
/// allocate nothing.
public struct StridedTensor: Sendable {
  /// Type of every element.
  public var dataType: DataType
  /// Dimensions.
  public private(set) var rank = 0
  /// Size of each dimension; those beyond `rank` are 1.
  public private(set) var shape = InlineArray<8, Int>(repeating: 1)
  /// Elements between neighbours along each dimension.
  public private(set) var strides = InlineArray<8, Int>(repeating: 0)

  /// A scalar.
  public init(_ dataType: DataType) { self.dataType = dataType }

  /// Dense, with the last dimension contiguous. Throws where a size is negative, the rank is above 8 or the bytes overflow.
  public init(_ dataType: DataType, _ sizes: [Int]) throws(ApusError) {
    self.dataType = dataType
    if sizes.count > 8 { throw .invalid("rank", sizes.count, "it must be 0 to 8") }
    var stride = CheckedSize(1)
    for i in sizes.indices.reversed() {
      if sizes[i] < 0 { throw .invalid("shape[\(i)]", sizes[i], "a size must be at least 0") }
      shape[i] = sizes[i]
      strides[i] = stride.value
      stride = stride * max(1, sizes[i])
    }
    rank = sizes.count
    if (stride * 8).overflowed { throw .invalid("shape", sizes, "its bytes must fit 63 bits") }
  }

  /// One more dimension behind the others. Throws where the size is negative; `name` is what messages call the tensor.
  public mutating func append(size: Int, stride: Int, name: String) throws(ApusError) {
    if rank == 8 { throw .invalid("\(name)->rank", 9, "it must be 0 to 8") }
    if size < 0 { throw .invalid("\(name)->shape[\(rank)]", size, "a size must be at least 0") }
    shape[rank] = size
    strides[rank] = stride
    rank += 1
  }

  /// Elements. Throws where they or the reach of the strides overflow.
  public func checkedCount(_ name: String) throws(ApusError) -> Int {
    var count = CheckedSize(8)
    var reach = CheckedSize(8)
    for i in 0..<rank {
      count = count * shape[i]
      let (stride, overflow) = strides[i].multipliedReportingOverflow(by: max(0, shape[i] - 1))
      reach = reach + CheckedSize(stride == .min || overflow ? .max : abs(stride)) * 8
      if reach.overflowed {
        throw .invalid("\(name)->strides[\(i)]", strides[i], "what the strides reach must fit 63 bits")
      }
    }
    if count.overflowed { throw .invalid("\(name)->shape", text, "its bytes must fit 63 bits") }
    return count.value / 8
  }

  /// Whether the last dimension is contiguous and nothing lies between elements.
  public var isDense: Bool {
    var expected = 1
    for i in (0..<rank).reversed() where shape[i] != 1 {
      if strides[i] != expected { return false }
      expected = expected &* shape[i]
    }
    return true
  }

  /// As many elements along an axis, from the first one on.
  public func part(of size: Int, along axis: Int) -> StridedTensor {
    var result = self
    result.shape[axis] = size
    return result
  }

  /// The shape, for messages.
  public var text: String { "[" + (0..<rank).map { "\(shape[$0])" }.joined(separator: ", ") + "]" }

  /// Whether the shapes are the same.
  public func hasShape(of other: StridedTensor) -> Bool {
    rank == other.rank && (0..<rank).allSatisfy { shape[$0] == other.shape[$0] }
  }
}
