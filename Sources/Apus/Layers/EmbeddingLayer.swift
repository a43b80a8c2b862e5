/// Rows of a table by their numbers, int32 or int64.
public final class Embedding: Module {
  /// rows x width.
  public let weight: Parameter
  /// A row that gets no gradient.
  public let paddingIndex: Int?

  /// A layer with normal numbers; the padding row is zero.
  public init(_ rows: Int, _ width: Int, paddingIndex: Int? = nil, dtype: DataType = .float32) {
    var table = Tensor.normal([rows, width], dtype: dtype)
    if let paddingIndex { table[paddingIndex] = .zeros([width], dtype: dtype) }
    weight = Parameter(table)
    self.paddingIndex = paddingIndex
  }

  /// ``embedding(_:_:paddingIndex:)``
  public func callAsFunction(_ x: Tensor) -> Tensor { reported(embedding(weight.value, x, paddingIndex: paddingIndex)) }
}
