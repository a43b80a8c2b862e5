import ApusKernelInterface

/// The loops over up to three broadcast sources and a result: dimensions of size 1 left out, neighbours that lie as one
/// joined.
struct Loops {
  /// Loops, outermost first; at least one.
  var rank = 0
  var sizes = InlineArray<8, Int>(repeating: 1)
  /// Of operand k in loop i: [8 k + i]. The result is operand 3.
  var strides = InlineArray<32, Int>(repeating: 0)
  var count = 1

  /// The loops of a result and its sources. Throws where a shape does not broadcast to the result's.
  init(
    result: StridedTensor, _ a: (name: String, tensor: StridedTensor),
    _ b: (name: String, tensor: StridedTensor)? = nil, _ c: (name: String, tensor: StridedTensor)? = nil
  ) throws(ApusError) {
    count = try result.checkedCount("y")
    try Self.check(a, result)
    if let b { try Self.check(b, result) }
    if let c { try Self.check(c, result) }
    for i in 0..<result.rank where result.shape[i] != 1 {
      append(
        result.shape[i],
        (
          Self.step(a.tensor, i, result), b.map { Self.step($0.tensor, i, result) } ?? 0,
          c.map { Self.step($0.tensor, i, result) } ?? 0, result.strides[i]
        ))
    }
    if rank == 0 { append(1, (1, 1, 1, 1)) }
  }

  private static func check(
    _ source: (name: String, tensor: StridedTensor), _ result: StridedTensor
  ) throws(ApusError) {
    let tensor = source.tensor
    _ = try tensor.checkedCount(source.name)
    let lead = result.rank - tensor.rank
    var fits = lead >= 0
    for i in 0..<tensor.rank where fits { fits = tensor.shape[i] == 1 || tensor.shape[i] == result.shape[lead + i] }
    if !fits {
      throw .invalid(
        "\(source.name)'s shape", tensor.text, "it must broadcast to the shape of y, which is \(result.text)")
    }
  }

  /// The stride of a source along a dimension of the result.
  private static func step(_ tensor: StridedTensor, _ i: Int, _ result: StridedTensor) -> Int {
    let place = i - (result.rank - tensor.rank)
    return place < 0 || tensor.shape[place] == 1 ? 0 : tensor.strides[place]
  }

  private mutating func append(_ size: Int, _ steps: (Int, Int, Int, Int)) {
    if rank > 0 {
      let last = rank - 1
      let before = (strides[last], strides[8 + last], strides[16 + last], strides[24 + last])
      if before.0 == steps.0 &* size && before.1 == steps.1 &* size && before.2 == steps.2 &* size
        && before.3 == steps.3 &* size
      {
        sizes[last] *= size
        (strides[last], strides[8 + last], strides[16 + last], strides[24 + last]) = steps
        return
      }
    }
    sizes[rank] = size
    (strides[rank], strides[8 + rank], strides[16 + rank], strides[24 + rank]) = steps
    rank += 1
  }

  /// Calls `body` with grids that cover all elements, on several threads where the work, in nanoseconds, pays for it.
  func run(
    context: ExecutionContext, size: Int, nanoseconds: Double, _ a: UnsafeRawPointer?, _ b: UnsafeRawPointer?,
    _ c: UnsafeRawPointer?, _ y: UnsafeMutableRawPointer, streams: Bool, _ body: (UnsafePointer<ElementGrid>) -> Void
  ) throws(ApusError) {
    if count == 0 { return }
    var grid = ElementGrid()
    let inner = rank - 1
    grid.columns = sizes[inner]
    (grid.aColumn, grid.bColumn, grid.cColumn, grid.yColumn) = (
      strides[inner], strides[8 + inner], strides[16 + inner], strides[24 + inner]
    )
    grid.streams = streams
    if rank == 1 {
      return try context.overStretches(of: sizes[0], grain: Elementwise.grain, nanoseconds: nanoseconds) {
        first, count in
        var grid = grid
        grid.columns = count
        grid.a = a.map { $0 + first * grid.aColumn * size }
        grid.b = b.map { $0 + first * grid.bColumn * size }
        grid.c = c.map { $0 + first * grid.cColumn * size }
        grid.y = y + first * grid.yColumn * size
        withUnsafePointer(to: grid, body)
      }
    }
    let rows = rank - 2
    (grid.aRow, grid.bRow, grid.cRow, grid.yRow) = (
      strides[rows], strides[8 + rows], strides[16 + rows], strides[24 + rows]
    )
    let units = count / sizes[inner]
    let grain = max(1, Elementwise.grain / sizes[inner])
    try context.overStretches(of: units, grain: grain, nanoseconds: nanoseconds) { first, count in
      var unit = first
      while unit < first + count {
        // The place of a row in the outer loops; rows of the last but one loop go in one call.
        var rest = unit / sizes[rows]
        let row = unit % sizes[rows]
        var offsets = (row * grid.aRow, row * grid.bRow, row * grid.cRow, row * grid.yRow)
        var i = rows - 1
        while i >= 0 {
          let place = rest % sizes[i]
          rest /= sizes[i]
          offsets.0 += place * strides[i]
          offsets.1 += place * strides[8 + i]
          offsets.2 += place * strides[16 + i]
          offsets.3 += place * strides[24 + i]
          i -= 1
        }
        var grid = grid
        grid.rows = min(sizes[rows] - row, first + count - unit)
        grid.a = a.map { $0 + offsets.0 * size }
        grid.b = b.map { $0 + offsets.1 * size }
        grid.c = c.map { $0 + offsets.2 * size }
        grid.y = y + offsets.3 * size
        withUnsafePointer(to: grid, body)
        unit += grid.rows
      }
    }
  }
}
