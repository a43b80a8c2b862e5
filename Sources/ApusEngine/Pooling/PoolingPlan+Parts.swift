import ApusKernelInterface

/// A run cut into parts: stretches of rows, times stretches of channels. Where a cut lies changes no bits.
struct PoolingParts {
  /// Rows (samples, by index) in all, and of a part.
  var rows: Int
  var rowsPerPart: Int
  /// Channels of a part.
  var channelsPerPart: Int
  var channelParts: Int
  var count: Int

  /// Some rows at least, which share what their windows read, as long as each of `tasks` has a part; as many parts for each.
  mutating func takeSeveralRows(tasks: Int) {
    let stretches = rows.dividedRoundingUp(by: 8).roundedUp(to: tasks)
    rowsPerPart = max(rowsPerPart, rows.dividedRoundingUp(by: stretches))
    count = rows.dividedRoundingUp(by: rowsPerPart) * channelParts
  }
}

extension PoolingPlan {
  /// Rows of the tensor that is written, counted through samples; by index, samples.
  private var rows: Int {
    let samples = descriptor.layout == .channelsLast ? descriptor.batch : descriptor.batch * descriptor.channels
    let input = descriptor.window.input
    switch direction {
    case .forward: return samples * output.depth * output.height
    case .backwardData: return samples * input.depth * input.height
    case .unpool, .unpoolBackward: return samples
    }
  }

  /// Parts of some 64 KB of data: enough to hide the cost of claiming one, and few enough not to leave a thread idle.
  func parts(recomputes: Bool) -> PoolingParts {
    let rows = rows
    let perRow = max(1, Int(min(bytes, 1e15)) / max(1, rows))
    var perPart = max(1, min(rows, (64 << 10) / perRow))
    let channels = shape.channels
    var perChannels = channels
    if perRow > 128 << 10 && channels >= 128 {
      perChannels = max(64, channels / (perRow >> 16)).roundedUp(to: 64)
    }
    if recomputes {
      // A part stays within one slice of a sample, whose indices it finds.
      let height = descriptor.window.input.height
      let slices = rows / height
      perPart = min(perPart, height)
      let partsOfSlice = height.dividedRoundingUp(by: perPart)
      return PoolingParts(
        rows: rows, rowsPerPart: perPart, channelsPerPart: channels, channelParts: 1, count: slices * partsOfSlice)
    }
    let channelParts = channels.dividedRoundingUp(by: max(1, perChannels))
    return PoolingParts(
      rows: rows, rowsPerPart: perPart, channelsPerPart: perChannels, channelParts: channelParts,
      count: rows.dividedRoundingUp(by: perPart) * channelParts)
  }

  /// Scratch of one task.
  func taskBytes(recomputes: Bool) -> Int {
    if descriptor.batch == 0 || descriptor.channels == 0 { return 0 }
    return rowBytes(recomputes: recomputes) + (recomputes && descriptor.kind == .maximum ? recomputedBytes : 0)
  }

  /// Scratch of the kernels along the width: with or without indices, whichever takes more.
  private func rowBytes(recomputes: Bool) -> Int {
    if algorithm != .widthLanes { return 0 }
    var shape = shape
    var most = 0
    func count(isForward: Bool, withIndices: Bool) {
      shape.setScratch(lanes: kernels.lanes, isForward: isForward, withIndices: withIndices)
      most = max(most, shape.pitch * shape.scratchRows * size)
    }
    if direction == .forward {
      count(isForward: true, withIndices: false)
    } else {
      count(isForward: false, withIndices: false)
    }
    if descriptor.kind == .maximum && (direction == .forward || recomputes) {
      count(isForward: true, withIndices: true)
    }
    return most.roundedUp(to: Memory.alignment)
  }

  /// Rows of the output whose windows cover a part's rows of the input, at most.
  func mostCoveringRows() -> Int {
    if descriptor.batch == 0 || descriptor.channels == 0 { return 0 }
    let height = descriptor.window.input.height
    let perPart = parts(recomputes: true).rowsPerPart
    let rows = stride(from: 0, to: height, by: perPart).map { coveringRows($0, min(perPart, height - $0)).count }
    let slices = (0..<descriptor.window.input.depth).map { Int(shape.depth.covers[$0].count) }
    return max(0, ((slices.max() ?? 0) - 1) * output.height + (rows.max() ?? 0))
  }
  /// Those that cover `rows` rows from `first` on.
  private func coveringRows(_ first: Int, _ rows: Int) -> (first: Int, count: Int) {
    let (top, last) = (shape.height.covers[first], shape.height.covers[first + rows - 1])
    return (Int(top.first), Int(last.first + last.count - top.first))
  }
  private var recomputedBytes: Int {
    (coveringRows * output.width * shape.channels * descriptor.indexType.size).roundedUp(to: Memory.alignment)
  }

  func execute(
    _ context: ExecutionContext, _ arguments: PoolingArguments, _ recomputes: Bool, _ tasks: Int,
    _ areas: UnsafeMutableRawPointer?
  ) throws(ApusError) {
    var shape = shape
    shape.accumulates = arguments.accumulates
    // Half of what several cores share is this operation's, roughly.
    shape.streams = bytes > Double(max(4 << 20, Machine.caches.level3 / 2))
    shape.setScratch(
      lanes: kernels.lanes, isForward: direction == .forward, withIndices: arguments.indices != nil)
    var operands = PoolingOperands()
    operands.x = arguments.x
    operands.y = arguments.y
    operands.indices = arguments.indices
    operands.dy = arguments.dy
    operands.dx = arguments.dx
    var parts = parts(recomputes: recomputes)
    if !recomputes && descriptor.layout == .channelsLast { parts.takeSeveralRows(tasks: tasks) }
    let taskBytes = taskBytes(recomputes: recomputes)
    if tasks == 1 {
      operands.scratch = areas
      if recomputes {
        for part in 0..<parts.count { recompute(&shape, operands, parts, part) }
      } else {
        kernel(&shape, &operands, 0, parts.rows, 0, shape.channels)
      }
      return
    }
    // Pooling is bound by memory, hence pieces.
    try context.parallel(parts: parts.count, slots: tasks, inPieces: true) { slot, part in
      var shape = shape
      var operands = operands
      operands.scratch = areas.map { $0 + slot * taskBytes }
      if recomputes { return recompute(&shape, operands, parts, part) }
      let (stretch, block) = part.quotientAndRemainder(dividingBy: parts.channelParts)
      let row = stretch * parts.rowsPerPart
      let channel = block * parts.channelsPerPart
      kernel(
        &shape, &operands, row, min(parts.rowsPerPart, parts.rows - row), channel,
        min(parts.channelsPerPart, shape.channels - channel))
    }
  }

  /// The kernel of the plan's direction and algorithm.
  private var kernel: PoolingKernels.Rows {
    switch direction {
    case .forward: algorithm == .widthLanes ? kernels.forwardAlongWidth : kernels.forward
    case .backwardData: algorithm == .widthLanes ? kernels.backwardAlongWidth : kernels.backward
    case .unpool: kernels.unpool
    case .unpoolBackward: kernels.unpoolBackward
    }
  }

  /// One part of a backward maximum without indices: those of the windows over its rows are found, in scratch.
  private func recompute(
    _ shape: inout PoolingShape, _ operands: PoolingOperands, _ parts: PoolingParts, _ part: Int
  ) {
    let height = descriptor.window.input.height
    let (slice, piece) = part.quotientAndRemainder(dividingBy: height.dividedRoundingUp(by: parts.rowsPerPart))
    let (sample, d) = slice.quotientAndRemainder(dividingBy: descriptor.window.input.depth)
    let first = piece * parts.rowsPerPart
    let rows = min(parts.rowsPerPart, height - first)
    let (top, count) = coveringRows(first, rows)
    let slices = shape.depth.covers[d]
    guard let area = operands.scratch else { return }
    let scratch = area + rowBytes(recomputes: true)
    var operands = operands
    var finding = shape
    finding.setScratch(lanes: kernels.lanes, isForward: true, withIndices: true)
    // Kernels count from the start of the whole tensor.
    let start = (sample * output.depth + Int(slices.first)) * output.height + top
    operands.indices = scratch - start * output.width * shape.channels * descriptor.indexType.size
    operands.y = nil
    let find = algorithm == .widthLanes ? kernels.forwardAlongWidth : kernels.forward
    if count > 0 {
      for od in 0..<Int(slices.count) {
        find(&finding, &operands, start + od * output.height, count, 0, shape.channels)
      }
    }
    kernel(&shape, &operands, slice * height + first, rows, 0, shape.channels)
  }
}
