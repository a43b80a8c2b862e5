import ApusKernelInterface

/// Rows of a table by their numbers, and the gradient of the table. Checked at each call; bits do not depend on threads and
/// back end.
public struct Embedding: Sendable, Equatable {
  /// float32 or float64.
  public var dataType: DataType
  /// int32 or int64.
  public var indexType = DataType.int32
  /// Rows of the table.
  public var rows: Int
  /// Elements of a row.
  public var width: Int
  /// Indices.
  public var count: Int
  /// A row that gets no gradient.
  public var paddingIndex: Int?

  /// Sizes; nothing is checked before a run.
  public init(dataType: DataType, rows: Int, width: Int, count: Int) {
    self.dataType = dataType
    self.rows = rows
    self.width = width
    self.count = count
  }

  /// y[i] = table[indices[i]].
  public func forward(
    context: ExecutionContext, table: UnsafeRawPointer?, indices: UnsafeRawPointer?, y: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    try context.recorded("embedding", dataType, "lookup:n\(count)r\(rows)w\(width)") { () throws(ApusError) in
      try check(table, indices)
      try need("y", UnsafeRawPointer(y), count * width)
      guard let table, let indices, let y, count > 0, width > 0 else { return }
      let bytes = width * dataType.size
      try context.overStretches(of: count, grain: max(1, 65536 / bytes), nanoseconds: Double(count * bytes) / 16) {
        first, count in
        for i in first..<first + count {
          (y + i * bytes).copyMemory(from: table + index(indices, i) * bytes, byteCount: bytes)
        }
      }
    }
  }

  /// dtable[indices[i]] += dy[i] in the order of i, from 0 or, if it accumulates, what is there. Threads share the table's
  /// rows, so every sum has one order.
  public func backward(
    context: ExecutionContext, dy: UnsafeRawPointer?, indices: UnsafeRawPointer?, dtable: UnsafeMutableRawPointer?,
    accumulates: Bool
  ) throws(ApusError) {
    try context.recorded("embedding", dataType, "lookup:n\(count)r\(rows)w\(width):backward") { () throws(ApusError) in
      try check(UnsafeRawPointer(dtable), indices)
      try need("dy", dy, count * width)
      guard let dtable, rows > 0, width > 0 else { return }
      let kernels = Arithmetic.kernels(context, dataType)
      let size = dataType.size
      let bytes = width * size
      let cost = Double(count * bytes) / 16 + (accumulates ? 0 : Double(rows * bytes) / 32)
      let parts = context.slots(parts: max(1, rows / 16), nanoseconds: cost)
      let perPart = rows.dividedRoundingUp(by: parts)
      try context.parallel(count: parts) { range in
        for part in range {
          let low = part * perPart
          let high = min(rows, low + perPart)
          if low >= high { continue }
          if !accumulates {
            (dtable + low * bytes).initializeMemory(as: UInt8.self, repeating: 0, count: (high - low) * bytes)
          }
          guard let dy, let indices else { continue }
          var grid = ElementGrid()
          grid.columns = width
          for i in 0..<count {
            let row = index(indices, i)
            if row < low || row >= high || row == paddingIndex { continue }
            grid.a = UnsafeRawPointer(dtable + row * bytes)
            grid.b = dy + i * bytes
            grid.y = dtable + row * bytes
            withUnsafePointer(to: grid) { kernels.binary(BinaryFunction.add.rawValue, $0) }
          }
        }
      }
    }
  }

  private func index(_ p: UnsafeRawPointer, _ i: Int) -> Int {
    indexType == .int32 ? Int(p.assumingMemoryBound(to: Int32.self)[i]) : Int(p.assumingMemoryBound(to: Int64.self)[i])
  }

  private func check(_ table: UnsafeRawPointer?, _ indices: UnsafeRawPointer?) throws(ApusError) {
    try dataType.checkIsReal("an embedding")
    if indexType != .int32 && indexType != .int64 {
      throw .invalid("index_type", indexType.name, "it must be int32 or int64")
    }
    let elements = try elementCount(dataType, ("rows", rows), ("width", width))
    _ = try elementCount(dataType, ("count", count), ("width", max(2, width)))
    if let paddingIndex, paddingIndex < 0 || paddingIndex >= rows {
      throw .invalid("padding_index", paddingIndex, "it must be a row, 0 to \(rows - 1)")
    }
    try need("table", table, elements)
    try need("indices", indices, count)
    guard let indices else { return }
    for i in 0..<count where index(indices, i) < 0 || index(indices, i) >= rows {
      throw .invalid("indices[\(i)]", index(indices, i), "it must be a row, 0 to \(rows - 1)")
    }
  }
}
