import ApusKernelInterface

/// Convolution with vectors along the width, for results of few channels: a first layer's forward with few filters, and
/// any first layer's backward by data. Two dimensions at most, one group, source positions that are neighbours.
///
/// Every element is one chain of multiply-adds over pieces of the kernel's height, the source's channels, the width and
/// the rows of a piece, in this order.
final class PlanesConvolution: GatherMethod {
  let source: ChannelTensor
  let result: ChannelTensor
  let samples: Int
  let passes: [PlanePass]
  /// Positions that the parts of a run divide.
  let rows: Int
  let columns: Int
  /// From a position to the next one of its pass, in the result.
  let rowStep: Int
  let columnStep: Int
  /// The lowest source position relative to a position, and how many follow it.
  let low: (row: Int, column: Int)
  let reach: (rows: Int, columns: Int)
  let linesPerPart: Int
  let pixelsPerPart: Int
  /// The source's channels that a part's band holds at a time; the chains go on from the result.
  let channelBlocks: BalancedSplit
  /// Whether images may be a vector's lanes, see `runImages`.
  let mayTakeImages: Bool
  let taps: Int
  /// Where the weights of the own form lie in the framework's order.
  let weightPlaces: [Int32]
  let gemm: GemmKernels
  let planes: PlaneKernels
  let size: Int

  /// Positions that share their taps, with the weights' pieces.
  struct PlanePass: Sendable {
    var height: PassAxis
    var width: PassAxis
    /// Height taps of each piece, at most `PlaneKernels.heightTaps`.
    var pieces: BalancedSplit
    /// Framework's numbers of the taps, height by width.
    var order: [Int]
    /// First element in the own form.
    var offset: Int
  }

  private static let bandBytes = 192 << 10
  /// Of a band that holds some channels of the source: half of a second-level cache of 512 KB.
  private static let blockBandBytes = 256 << 10
  /// Channels of the source that such a band holds at most: sums in memory cost little then.
  private static let channelsTogether = 16
  /// A plan keeps four bytes for each weight; of more than so many there is none.
  private static let mostWeights = 1 << 22
  /// Channels of the result that a tile has.
  static let together = 3

  /// Whether the method can do a problem at all.
  static func canDo(_ sides: ConvolutionSides, backward: Bool) -> Bool {
    let w = sides.window
    // With one group this product is the number of weights, which is known to fit. One slice, which is not in the padding.
    return sides.groups == 1 && sides.taps * sides.c * sides.k <= mostWeights && w.input.depth == 1
      && sides.output.depth == 1 && w.window.depth == 1 && w.padBefore.depth == 0
      && w.dilation.width == 1 && w.dilation.height == 1 && (backward || w.stride.width == 1 && w.stride.height == 1)
      && w.stride.width <= 16 && w.stride.height <= 16
  }

  init(_ sides: ConvolutionSides, backward: Bool, _ gemm: GemmKernels, _ planes: PlaneKernels, size: Int) {
    self.gemm = gemm
    self.planes = planes
    self.size = size
    samples = sides.batch
    source = ChannelTensor(
      channels: backward ? sides.k : sides.c, extents: backward ? sides.output : sides.window.input,
      layout: backward ? sides.yLayout : sides.xLayout)
    result = ChannelTensor(
      channels: backward ? sides.c : sides.k, extents: backward ? sides.window.input : sides.output,
      layout: backward ? sides.xLayout : sides.yLayout)
    taps = sides.taps
    let all = backward ? sides.backwardPasses() : [sides.forwardPass()]
    var offset = 0
    var prepared: [PlanePass] = []
    for pass in all {
      prepared.append(
        PlanePass(
          height: pass.height, width: pass.width,
          pieces: BalancedSplit(pass.height.taps, atMost: PlaneKernels.heightTaps),
          order: pass.tapIndices(kernelHeight: sides.window.window.height, kernelWidth: sides.window.window.width),
          offset: offset))
      offset += pass.taps * sides.c * sides.k
    }
    passes = prepared
    weightPlaces = Self.weightPlaces(
      prepared, source: source.channels, result: result.channels, taps: taps, areByResult: !backward)
    let gathering = all.filter { $0.taps > 0 }
    low = (gathering.map(\.height.offset).min() ?? 0, gathering.map(\.width.offset).min() ?? 0)
    reach = (
      (gathering.map { $0.height.offset + $0.height.taps - 1 }.max() ?? 0) - low.row,
      (gathering.map { $0.width.offset + $0.width.taps - 1 }.max() ?? 0) - low.column
    )
    rows = all.map(\.height.positions).max() ?? 0
    columns = all.map(\.width.positions).max() ?? 0
    rowStep = all.first?.height.step ?? 1
    columnStep = all.first?.width.step ?? 1
    let vectors = 2 * gemm.lanes
    // Rows that a tile of the most channels computes at a time.
    let most = (columns > gemm.lanes ? planes.wideRows : planes.narrowRows)[min(Self.together, result.channels) - 1]
    var channels = source.channels
    var budget = Self.bandBytes / size
    // Blocks of channels keep the order of the sums only where the height is one piece.
    if (min(rows, 2 * most) + reach.rows) * (columns + reach.columns) * channels > budget
      && prepared.allSatisfy({ $0.pieces.count <= 1 })
    {
      channels = min(channels, Self.channelsTogether)
      budget = Self.blockBandBytes / size
    }
    channelBlocks = BalancedSplit(source.channels, atMost: channels)
    // Whole rows, unless even a tile's would not fit.
    var pixels = columns
    if (most + reach.rows) * (pixels + reach.columns) * channels > budget {
      pixels = min(columns, max(vectors, budget / ((most + reach.rows) * channels) / vectors * vectors))
    }
    pixelsPerPart = max(1, pixels)
    let fitting = budget / ((pixelsPerPart + reach.columns) * channels) - reach.rows
    linesPerPart = max(1, min(rows, max(most, fitting / most * most)))
    mayTakeImages = Self.mayTakeImages(prepared, source, result, gemm, size: size)
  }

  var details: String {
    "\(linesPerPart) rows by \(pixelsPerPart) columns"
      + (channelBlocks.count > 1 ? " by \(channelBlocks.longest) channels" : "")
      + (passes.count > 1 ? ", \(passes.count) passes" : "") + (mayTakeImages ? ", or images as lanes" : "")
  }

  // MARK: Weights

  var weightElements: Int { taps * source.channels * result.channels }
  var weightParts: Int { 1 }
  func pack(_ weights: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int) {
    func gather<Bits>(_: Bits.Type) {
      let (from, to) = (weights.assumingMemoryBound(to: Bits.self), own.assumingMemoryBound(to: Bits.self))
      for (i, place) in weightPlaces.enumerated() { to[i] = from[Int(place)] }
    }
    if size == 4 { gather(UInt32.self) } else { gather(UInt64.self) }
  }
  func unpack(_ own: UnsafeRawPointer, into weights: UnsafeMutableRawPointer, accumulate: Bool, part: Int) {
    for (i, place) in weightPlaces.enumerated() {
      (weights + Int(place) * size).copyMemory(from: own + i * size, byteCount: size)
    }
  }

  /// Places in the framework's order of all weights of the own form: for each pass, group of result channels and piece of
  /// the height, `[source channel][width tap][result channel][height tap]`. Taps that no position meets stand last.
  private static func weightPlaces(
    _ passes: [PlanePass], source: Int, result: Int, taps: Int, areByResult: Bool
  ) -> [Int32] {
    var places: [Int32] = []
    places.reserveCapacity(taps * source * result)
    func append(_ tap: Int, _ channel: Int, _ k: Int) {
      places.append(Int32((areByResult ? k * source + channel : channel * result + k) * taps + tap))
    }
    for pass in passes where !pass.order.isEmpty {
      for first in Swift.stride(from: 0, to: result, by: together) {
        for piece in 0..<pass.pieces.count {
          for channel in 0..<source {
            for w in 0..<pass.width.taps {
              for k in first..<min(first + together, result) {
                for h in pass.pieces.start(piece)..<pass.pieces.start(piece + 1) {
                  append(pass.order[h * pass.width.taps + w], channel, k)
                }
              }
            }
          }
        }
      }
    }
    var isMet = [Bool](repeating: false, count: taps)
    for pass in passes { for tap in pass.order { isMet[tap] = true } }
    for tap in 0..<taps where !isMet[tap] {
      for channel in 0..<source {
        for k in 0..<result { append(tap, channel, k) }
      }
    }
    return places
  }

  // MARK: Scratch

  /// Rows of the band: those of a part, what its last tile computes beyond, and what the taps reach.
  private var band: PlaneBand {
    PlaneBand(
      channels: channelBlocks.longest, rows: linesPerPart + max(planes.wideRows[0], planes.narrowRows[0]) + reach.rows,
      columns: pixelsPerPart + reach.columns, lanes: gemm.lanes)
  }
  private var bandBytes: Int { (band.elements * size).roundedUp(to: 64) }
  /// `[column remainder][channel][row][column]`
  private var blockElements: Int { columnStep * result.channels * linesPerPart * pixelsPerPart }
  /// From one row remainder's planes to the next one's: with one block of channels these take the place of those.
  private var blockPitch: Int { channelBlocks.count > 1 ? blockElements : 0 }
  private var blockBytes: Int {
    ((blockElements + (rowStep - 1) * blockPitch + 2 * gemm.lanes) * size).roundedUp(to: 64)
  }
  private var turnedBytes: Int {
    let lines = columnStep == 1 && rowStep == 1 ? linesPerPart : 1
    return ((lines * columnStep * result.channels * pixelsPerPart + gemm.lanes) * size).roundedUp(to: 64)
  }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) {
    (max(bandBytes + blockBytes + turnedBytes, mayTakeImages ? imageScratchBytes : 0), 0)
  }

  // MARK: Runs

  func run(
    _ task: GatherTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    let images = takesImages(task.weights, threads: threads) ? imageGroups(threads: threads) : ImageGroups.none
    let single = samples - images.samples
    var lines = linesPerPart
    let pixelSplit = BalancedSplit(columns, atMost: pixelsPerPart)
    if threads > 1 {
      let wanted = (4 * threads).dividedRoundingUp(by: max(1, single * pixelSplit.count))
      let step = (columns > gemm.lanes ? planes.wideRows : planes.narrowRows)[min(Self.together, result.channels) - 1]
      lines = min(lines, max(2 * step, (rows / wanted).roundedUp(to: step)))
    }
    let lineParts = rows.dividedRoundingUp(by: lines)
    let slotBytes = scratchBytes(threads: threads).slot
    try context.parallel(parts: images.count + single * lineParts * pixelSplit.count, slots: threads) { slot, part in
      if part < images.count {
        runImages(task, images.range(part), scratch + slot * slotBytes)
        return
      }
      let (rest, pixel) = (part - images.count).quotientAndRemainder(dividingBy: pixelSplit.count)
      let (sample, line) = rest.quotientAndRemainder(dividingBy: lineParts)
      runPart(
        task, images.samples + sample, line * lines..<min((line + 1) * lines, rows),
        pixelSplit.start(pixel)..<pixelSplit.start(pixel + 1), scratch + slot * slotBytes)
    }
  }

  private func runPart(
    _ task: GatherTask, _ sample: Int, _ lines: Range<Int>, _ pixels: Range<Int>, _ scratch: UnsafeMutableRawPointer
  ) {
    let block = scratch + bandBytes
    // Sums that wait in memory for later channels are added to nothing yet.
    let storesDirectly =
      result.isChannelsFirst && columnStep == 1
      && (task.output.isOverwrite || task.output.isAccumulate && channelBlocks.count == 1)
    for blockIndex in 0..<channelBlocks.count {
      let channels = channelBlocks.start(blockIndex)..<channelBlocks.start(blockIndex + 1)
      band.fill(
        scratch, from: task.source, source, channels, sample: sample, top: lines.lowerBound + low.row,
        rowCount: lines.count + reach.rows, left: pixels.lowerBound + low.column,
        columnCount: pixels.count + reach.columns, gemm, planes, size: size)
      for remainder in 0..<min(rowStep, result.extents.height) {
        let count = min(lines.upperBound, (result.extents.height - remainder - 1) / rowStep + 1) - lines.lowerBound
        if count <= 0 { continue }
        let row = remainder + lines.lowerBound * rowStep
        let waiting = block + remainder * blockPitch * size
        for pass in passes where pass.height.start == remainder {
          let columns = min(pixels.upperBound, pass.width.positions) - pixels.lowerBound
          if columns <= 0 { continue }
          let a = scratch + ((pass.height.offset - low.row) * band.columns + pass.width.offset - low.column) * size
          let weights = task.weights + pass.offset * size
          if storesDirectly {
            let to = task.result + result.offset(sample, 0, row, pixels.lowerBound, channel: 0) * size
            tiles(
              pass, channels, a, weights, count, columns, lines.lowerBound, to, result.extents.product,
              rowStep * result.extents.width, accumulate: task.output.isAccumulate)
          } else {
            let plane = lines.count * pixels.count
            tiles(
              pass, channels, a, weights, count, columns, lines.lowerBound,
              waiting + pass.width.start * result.channels * plane * size, plane, pixels.count, accumulate: false)
          }
        }
        if !storesDirectly && channels.upperBound == source.channels {
          finish(task, sample, row, count, lines.count, pixels, waiting, turned: block + blockBytes)
        }
      }
    }
  }

  /// One pass's tiles over `rows` x `columns` positions into planes, with some channels of the source.
  private func tiles(
    _ pass: PlanePass, _ channels: Range<Int>, _ source: UnsafeRawPointer, _ weights: UnsafeRawPointer, _ rows: Int,
    _ columns: Int, _ firstRow: Int, _ to: UnsafeMutableRawPointer, _ planeStride: Int, _ rowStride: Int,
    accumulate: Bool
  ) {
    // A pass without taps, and pieces of the height after the first, start from what is there.
    if pass.order.isEmpty {
      if !accumulate && channels.lowerBound == 0 { zero(to, rows, columns, planeStride, rowStride) }
      return
    }
    var w = weights
    var shape = PlaneTileShape(
      channels: channels.count, planeStride: band.planePitch, rowStride: band.columns, widthTaps: pass.width.taps,
      tapStride: 1, skippedWeights: 0, heightTaps: 0, resultChannels: 0, resultPlaneStride: planeStride,
      resultRowStride: rowStride, rows: 0, columns: 0, accumulate: false, continues: false, firstRow: 0, endRow: 0,
      hasPositiveZeros: mayTakeImages)
    let vectors = 2 * gemm.lanes
    for first in Swift.stride(from: 0, to: result.channels, by: Self.together) {
      shape.resultChannels = min(Self.together, result.channels - first)
      for piece in 0..<pass.pieces.count {
        let firstTap = pass.pieces.start(piece)
        shape.heightTaps = pass.pieces.length(piece)
        // A later piece's chain goes on, so that there is one sum to add.
        shape.accumulate = accumulate && pass.pieces.count == 1
        shape.continues = piece > 0 || accumulate && pass.pieces.count > 1 || channels.lowerBound > 0
        let weightsOfChannel = pass.width.taps * shape.resultChannels * shape.heightTaps
        var column = 0
        while column < columns {
          shape.columns = min(vectors, columns - column)
          let step = (shape.columns > gemm.lanes ? planes.wideRows : planes.narrowRows)[shape.resultChannels - 1]
          var row = 0
          while row < rows {
            shape.rows = min(step, rows - row)
            // Rows that are padding are passed over.
            let top = firstRow + row + firstTap + pass.height.offset
            shape.firstRow = max(0, -top)
            shape.endRow = max(0, self.source.extents.height - top)
            planes.tile(
              &shape, source + ((row + firstTap) * band.columns + column) * size,
              w + channels.lowerBound * weightsOfChannel * size,
              to + (first * planeStride + row * rowStride + column) * size)
            row += step
          }
          column += vectors
        }
        w += self.source.channels * weightsOfChannel * size
      }
    }
  }

  private func zero(_ to: UnsafeMutableRawPointer, _ rows: Int, _ columns: Int, _ planeStride: Int, _ rowStride: Int) {
    for k in 0..<result.channels {
      for row in 0..<rows {
        (to + (k * planeStride + row * rowStride) * size)
          .initializeMemory(as: UInt8.self, repeating: 0, count: columns * size)
      }
    }
  }

  /// Rows `row`, `row + rowStep`, ... of the result from a block of planes of `blockRows` rows.
  private func finish(
    _ task: GatherTask, _ sample: Int, _ row: Int, _ count: Int, _ blockRows: Int, _ pixels: Range<Int>,
    _ block: UnsafeMutableRawPointer, turned: UnsafeMutableRawPointer
  ) {
    let width = result.extents.width
    let firstColumn = pixels.lowerBound * columnStep
    let columns = min(pixels.upperBound * columnStep, width) - firstColumn
    let plane = blockRows * pixels.count
    var output = task.output
    output.biasIsByRow = true
    if result.isChannelsFirst && columnStep == 1 {
      // Whole neighbouring rows are one run of each plane.
      let isRun = rowStep == 1 && pixels.count == width
      for line in 0..<(isRun ? 1 : count) {
        let first = result.offset(sample, 0, row + line * rowStep, firstColumn, channel: 0)
        output.residual = task.output.residual.map { $0 + first * size }
        output.residualRowStride = result.extents.product
        gemm.finish(
          block + line * pixels.count * size, plane, result.channels, isRun ? count * width : columns,
          task.result + first * size, result.extents.product, &output)
      }
      return
    }
    let isRun = !result.isChannelsFirst && rowStep == 1 && columnStep == 1 && pixels.count == width
    let together = isRun ? count : 1
    for line in 0..<(isRun ? 1 : count) {
      let from = block + line * pixels.count * size
      if result.isChannelsFirst {
        for k in 0..<result.channels {
          gemm.turn(
            from + k * plane * size, columnStep, pixels.count, result.channels * plane, turned, columnStep)
          let first = result.offset(sample, 0, row + line * rowStep, firstColumn, channel: k)
          output.bias = task.output.bias.map { $0 + k * size }
          output.residual = task.output.residual.map { $0 + first * size }
          gemm.finish(turned, columns, 1, columns, task.result + first * size, columns, &output)
        }
      } else {
        // Remainder by remainder, channel by channel: a pixel's neighbours.
        gemm.turn(
          from, columnStep * result.channels, together * pixels.count, plane, turned, columnStep * result.channels)
        let first = result.offset(sample, 0, row + line * rowStep, firstColumn, channel: 0)
        output.residual = task.output.residual.map { $0 + first * size }
        output.residualRowStride = result.channels
        output.biasIsByRow = false
        let isList = output.bias == nil
        gemm.finish(
          turned, result.channels, isList ? 1 : together * columns,
          isList ? together * columns * result.channels : result.channels,
          task.result + first * size, result.channels, &output)
      }
    }
  }
}

extension ChannelTensor {
  /// Neighbouring columns are neighbours in memory: also of a single channel, whose layouts are the same.
  var isChannelsFirst: Bool { !isChannelsLast || channels == 1 }
}
