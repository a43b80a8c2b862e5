import ApusKernelInterface

/// 3x3 kernels of stride 1 by F(4x4, 3x3): 6x6 tiles of the source and the weights are transformed, so that 36 products of
/// tiles x source channels with source channels x result channels stand for the 144 that a tile of the result takes.
/// Backward by data is the same with the kernel turned around.
///
/// A part is a few tiles with all source channels, whose transforms stay in the second-level cache while panels of
/// weights pass. Every element of the result is a fixed expression of chains of multiply-adds over the source's channels,
/// one for each plane, whatever the layout, batch, threads and the tiles around it.
final class WinogradConvolution: GatherMethod {
  let source: ChannelTensor
  let result: ChannelTensor
  let samples: Int
  /// The source's row and column of the result's first row and column.
  let low: (height: Int, width: Int)
  /// Tiles of an image.
  let tileRows: Int
  let tileColumns: Int
  /// What the weights are transformed from, and kept behind the transformed ones for unpacking.
  let panels: WeightPanels
  let gemm: GemmKernels
  let kernels: WinogradKernels
  let size: Int
  /// Columns of tiles by parts, and lines (rows of tiles of all samples) of a part at most.
  let columns: BalancedSplit
  let linesPerPart: Int
  /// From one tile to the next in a plane of the transformed source.
  let pitch: Int

  /// Planes of the transformed domain.
  private static let planes = 36
  /// Bytes of a part's transformed source, which with the products and a panel of weights fill a second-level cache of
  /// 1 MB. More tiles at a time, so that weights are read less often, gain nothing before they are 56, and then 5 %.
  private static let transformedBytes = 640 << 10
  private static let leastTiles = 16
  private static let mostTiles = 56
  /// Of a channels-first source that is turned at a time.
  private static let turnedSourceBytes = 384 << 10
  /// Pixels of a result that wait to be finished.
  private static let waitingPixels = 512

  /// Whether the algorithm is defined for a problem.
  static func canDo(_ sides: ConvolutionSides) -> Bool {
    let window = sides.window
    return sides.groups == 1 && window.window == Extents(1, 3, 3) && window.stride == Extents(repeating: 1)
      && window.dilation == Extents(repeating: 1) && window.input.depth == 1 && sides.output.depth == 1
  }

  /// Whether the algorithm is faster than the others. Measured: from 16 channels on both sides on, where tiles are at least
  /// half full and an image has as many pixels as the larger weights take to read; unpacked weights take more to transform
  /// (512-512 at 7x7: packed 1.75 times as fast as direct, unpacked slower; at 14x14 2.9 and 1.2 times).
  static func isFast(_ sides: ConvolutionSides, backward: Bool, packedWeights: Bool) -> Bool {
    let result = backward ? sides.window.input : sides.output
    let tiles = result.height.dividedRoundingUp(by: 4) * result.width.dividedRoundingUp(by: 4)
    return sides.c >= 16 && sides.k >= 16 && result.product >= (packedWeights ? 36 : 144)
      && 8 * tiles <= result.product
  }

  init(
    _ sides: ConvolutionSides, backward: Bool, _ gemm: GemmKernels, _ convolution: ConvolutionKernels,
    _ kernels: WinogradKernels, size: Int
  ) {
    self.gemm = gemm
    self.kernels = kernels
    self.size = size
    let pass = backward ? sides.backwardPasses()[0] : sides.forwardPass()
    samples = sides.batch
    source = ChannelTensor(
      channels: backward ? sides.k : sides.c, extents: backward ? sides.output : sides.window.input,
      layout: backward ? sides.yLayout : sides.xLayout)
    result = ChannelTensor(
      channels: backward ? sides.c : sides.k, extents: backward ? sides.window.input : sides.output,
      layout: backward ? sides.xLayout : sides.yLayout)
    low = (pass.height.offset, pass.width.offset)
    tileRows = result.extents.height.dividedRoundingUp(by: 4)
    tileColumns = result.extents.width.dividedRoundingUp(by: 4)
    panels = WeightPanels(
      groups: 1, sourceChannels: source.channels, resultChannels: result.channels, rowsAreResults: !backward,
      order: pass.tapIndices(kernelHeight: 3, kernelWidth: 3), gemm, convolution, size: size)
    pitch = Self.oddVectors(source.channels, gemm.lanes)
    let room = Self.transformedBytes / (Self.planes * pitch * size)
    columns = BalancedSplit(tileColumns, atMost: max(Self.leastTiles, min(room, Self.mostTiles)))
    linesPerPart = max(1, max(Self.leastTiles, min(room, Self.mostTiles)) / columns.longest)
  }

  /// At least `elements`, so that neither neighbours nor planes share sets of the first-level cache.
  private static func oddVectors(_ elements: Int, _ lanes: Int) -> Int {
    (elements.dividedRoundingUp(by: lanes) | 1) * lanes
  }

  private var tilesPerPart: Int { linesPerPart * columns.longest }
  var details: String { "F(4x4, 3x3), \(tilesPerPart) tiles, \(panels.columns) channels" }

  // MARK: Weights

  /// Elements of all transformed panels.
  private var transformedElements: Int { Self.planes / panels.taps * panels.elements }
  private func transformedPanel(_ index: Int) -> Int { index * (Self.planes / panels.taps) * panels.panelElements }

  var weightElements: Int { transformedElements + panels.elements }
  var weightParts: Int { panels.parts }
  func pack(_ weights: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int) {
    let taps = own + transformedElements * size
    panels.pack(weights, into: taps, part: part)
    kernels.weights(
      taps + part * panels.panelElements * size, panels.sourceChannels * panels.columns,
      own + transformedPanel(part) * size)
  }
  func unpack(_ own: UnsafeRawPointer, into weights: UnsafeMutableRawPointer, accumulate: Bool, part: Int) {
    panels.unpack(own + transformedElements * size, into: weights, accumulate: accumulate, part: part)
  }

  // MARK: Scratch

  private var bufferBytes: Int { Self.planes * gemm.lanes * size }
  private var zeroBytes: Int { (6 * source.channels * size).roundedUp(to: 64) }
  private var sourcePlane: Int { Self.oddVectors(tilesPerPart * pitch, gemm.lanes) }
  private var productPlane: Int { Self.oddVectors(tilesPerPart * panels.columns, gemm.lanes) }
  /// Rows and columns of tiles whose source, if it is channels first, is turned at a time.
  private var turned: (rows: Int, columns: Int) {
    let pixels = Self.turnedSourceBytes / (source.channels * size)
    if 6 * source.extents.width <= pixels {
      return (max(1, min(tileRows, linesPerPart, (pixels / source.extents.width - 2) / 4)), columns.longest)
    }
    return (1, max(1, min(columns.longest, (pixels / 6 - 2) / 4)))
  }
  private var turnedPixels: Int {
    if source.isChannelsLast { return 0 }
    return min(4 * turned.rows + 2, source.extents.height) * min(4 * turned.columns + 2, source.extents.width)
  }
  private var turnedBytes: Int { ((turnedPixels * source.channels + gemm.lanes) * size).roundedUp(to: 64) }
  /// Rows and columns of tiles whose pixels wait.
  private var waiting: (rows: Int, columns: Int) {
    let width = min(columns.longest, Self.waitingPixels / 16)
    return (width < tileColumns ? 1 : max(1, min(tileRows, linesPerPart, Self.waitingPixels / (16 * width))), width)
  }
  private var waitingBytes: Int {
    ((16 * waiting.rows * waiting.columns * panels.columns + gemm.lanes) * size).roundedUp(to: 64)
  }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) {
    let planes = Self.planes * (sourcePlane + productPlane) * size
    return (
      bufferBytes + zeroBytes + planes.roundedUp(to: 64) + turnedBytes + (result.isChannelsLast ? 1 : 2) * waitingBytes,
      0
    )
  }

  /// A slot's buffers.
  private struct Room {
    var buffer: UnsafeMutableRawPointer
    var zeros: UnsafeMutableRawPointer
    var source: UnsafeMutableRawPointer
    var products: UnsafeMutableRawPointer
    var turned: UnsafeMutableRawPointer
    var waiting: UnsafeMutableRawPointer
    var turnedResult: UnsafeMutableRawPointer
  }
  private func room(_ scratch: UnsafeMutableRawPointer) -> Room {
    let zeros = scratch + bufferBytes
    let source = zeros + zeroBytes
    let products = source + Self.planes * sourcePlane * size
    let turned = source + (Self.planes * (sourcePlane + productPlane) * size).roundedUp(to: 64)
    let waiting = turned + turnedBytes
    return Room(
      buffer: scratch, zeros: zeros, source: source, products: products, turned: turned, waiting: waiting,
      turnedResult: waiting + waitingBytes)
  }

  // MARK: Runs

  func run(
    _ task: GatherTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    let lines = samples * tileRows
    let wanted = threads == 1 ? 1 : 3 * threads
    // Fewer lines a part for the threads' sake, and then fewer panels, each of which takes the transforms again.
    let least = min(linesPerPart, Self.leastTiles.dividedRoundingUp(by: columns.longest))
    let lineSplit = BalancedSplit(lines, atMost: max(least, min(linesPerPart, lines * columns.count / wanted)))
    let parts = lineSplit.count * columns.count
    let panelGroups = min(panels.panelsPerGroup, max(1, wanted / max(1, parts)))
    let panelSplit = BalancedSplit(
      panels.panelsPerGroup, atMost: panels.panelsPerGroup.dividedRoundingUp(by: panelGroups))
    let slotBytes = scratchBytes(threads: threads).slot
    try context.parallel(parts: parts * panelSplit.count, slots: threads) { slot, part in
      let (tiles, panel) = part.quotientAndRemainder(dividingBy: panelSplit.count)
      let (line, column) = tiles.quotientAndRemainder(dividingBy: columns.count)
      runPart(
        task, lineSplit.start(line)..<lineSplit.start(line + 1), columns.start(column)..<columns.start(column + 1),
        panelSplit.start(panel)..<panelSplit.start(panel + 1), room(scratch + slot * slotBytes))
    }
  }

  /// Neighbouring tiles of one sample: whole rows of tiles, or a piece of one row.
  private struct Piece {
    var sample: Int
    var rows: Range<Int>
    var columns: Range<Int>
    /// The first one's number in its part.
    var index: Int
  }

  /// The pieces of some lines and columns of tiles, each of at most so many.
  private func forEachPiece(
    _ lines: Range<Int>, _ columns: Range<Int>, atMost most: (rows: Int, columns: Int), _ body: (Piece) -> Void
  ) {
    var line = lines.lowerBound
    while line < lines.upperBound {
      let (sample, row) = line.quotientAndRemainder(dividingBy: tileRows)
      let isWhole = columns.count == tileColumns && columns.count <= most.columns
      let rows = isWhole ? min(lines.upperBound - line, tileRows - row, most.rows) : 1
      let index = (line - lines.lowerBound) * columns.count
      for column in Swift.stride(from: columns.lowerBound, to: columns.upperBound, by: most.columns) {
        body(
          Piece(
            sample: sample, rows: row..<row + rows, columns: column..<min(column + most.columns, columns.upperBound),
            index: index + column - columns.lowerBound))
      }
      line += rows
    }
  }

  private func runPart(
    _ task: GatherTask, _ lines: Range<Int>, _ columns: Range<Int>, _ panelRange: Range<Int>, _ room: Room
  ) {
    let tiles = lines.count * columns.count
    let whole = (rows: tileRows, columns: columns.count)
    room.zeros.initializeMemory(as: UInt8.self, repeating: 0, count: zeroBytes)
    forEachPiece(lines, columns, atMost: source.isChannelsLast ? whole : turned) { transform(task, $0, room) }
    let split = BalancedSplit(tiles, atMost: panels.columns > gemm.lanes ? gemm.tileRows : gemm.narrowTileRows)
    var product = GemmTileShape(
      aRowStride: pitch, aStepStride: 1, bStepStride: panels.columns, cRowStride: panels.columns,
      k: panels.sourceChannels, rows: 0, columns: panels.columns, bIsPadded: true, accumulate: false)
    let planeElements = panels.sourceChannels * panels.columns
    for panel in panelRange {
      let weights = task.weights + transformedPanel(panel) * size
      for plane in 0..<Self.planes {
        let from = room.source + plane * sourcePlane * size
        let to = room.products + plane * productPlane * size
        for i in 0..<split.count {
          product.rows = split.length(i)
          // The weights come from far away, and few tiles leave the hardware little time to fetch them.
          product.bPrefetch = i == 0 ? planeElements : 0
          gemm.tile(
            &product, from + split.start(i) * pitch * size, weights + plane * planeElements * size,
            to + split.start(i) * panels.columns * size)
        }
      }
      if result.isChannelsLast && (task.output.isOverwrite || task.output.isAccumulate) {
        forEachPiece(lines, columns, atMost: whole) { store(task, $0, panel, room) }
      } else {
        forEachPiece(lines, columns, atMost: waiting) { finish(task, $0, panel, room) }
      }
    }
  }

  /// A piece's source into its planes.
  private func transform(_ task: GatherTask, _ piece: Piece, _ room: Room) {
    let extents = source.extents
    // Columns and rows that exist, of those that the piece touches.
    let firstColumn = 4 * piece.columns.lowerBound + low.width
    let columns =
      max(0, min(extents.width, firstColumn))..<max(0, min(extents.width, 4 * piece.columns.upperBound + 2 + low.width))
    let firstRow = 4 * piece.rows.lowerBound + low.height
    let rows =
      max(0, min(extents.height, firstRow))..<max(0, min(extents.height, 4 * piece.rows.upperBound + 2 + low.height))
    var base = task.source
    // Of the pixel that is at `base`, and from one row to the next.
    var (height, width) = (0, 0)
    var rowPixels = extents.width
    if source.isChannelsLast {
      base += source.offset(piece.sample, 0, 0, 0, channel: 0) * size
    } else {
      base = UnsafeRawPointer(room.turned)
      (height, width) = (rows.lowerBound, columns.lowerBound)
      rowPixels = columns.count
      if !rows.isEmpty && !columns.isEmpty {
        let isRun = columns.count == extents.width
        for row in isRun ? 0..<1 : 0..<rows.count {
          gemm.turn(
            task.source + source.offset(piece.sample, 0, height + row, width, channel: 0) * size, source.channels,
            isRun ? rows.count * columns.count : columns.count, source.planeStride,
            room.turned + row * rowPixels * source.channels * size, source.channels)
        }
      }
    }
    for row in piece.rows {
      let top = 4 * row + low.height
      var shape = WinogradSourceShape(
        tiles: piece.columns.count, rowStride: rowPixels * source.channels, pixelStride: source.channels,
        channels: source.channels, firstRow: max(0, rows.lowerBound - top), endRow: min(6, rows.upperBound - top),
        firstColumn: columns.lowerBound - firstColumn, endColumn: columns.upperBound - firstColumn,
        planeStride: sourcePlane, tileStride: pitch)
      kernels.source(
        &shape, base + ((top - height) * rowPixels + firstColumn - width) * source.channels * size, room.zeros,
        room.buffer,
        room.source + (piece.index + (row - piece.rows.lowerBound) * piece.columns.count) * pitch * size)
    }
  }

  /// A row of a piece's tiles from their planes to `to`.
  private func shape(_ piece: Piece, row: Int, rowStride: Int, pixelStride: Int, channels: Int) -> WinogradResultShape {
    WinogradResultShape(
      planeStride: productPlane, tileStride: panels.columns, rowStride: rowStride, pixelStride: pixelStride,
      channels: channels, rows: min(4, result.extents.height - 4 * row), columns: pixels(piece).width, accumulate: false
    )
  }
  private func products(_ piece: Piece, row: Int, _ room: Room) -> UnsafeRawPointer {
    UnsafeRawPointer(room.products)
      + (piece.index + (row - piece.rows.lowerBound) * piece.columns.count) * panels.columns * size
  }
  /// Size of a piece of the result.
  private func pixels(_ piece: Piece) -> (height: Int, width: Int) {
    (
      min(4 * piece.rows.upperBound, result.extents.height) - 4 * piece.rows.lowerBound,
      min(4 * piece.columns.upperBound, result.extents.width) - 4 * piece.columns.lowerBound
    )
  }

  /// A channels-last result that nothing but accumulation acts on: tiles are stored where they belong.
  private func store(_ task: GatherTask, _ piece: Piece, _ panel: Int, _ room: Room) {
    for row in piece.rows {
      var shape = shape(
        piece, row: row, rowStride: result.extents.width * result.channels, pixelStride: result.channels,
        channels: panels.width(panel))
      shape.accumulate = task.output.isAccumulate
      let first = result.offset(
        piece.sample, 0, 4 * row, 4 * piece.columns.lowerBound, channel: panel * panels.columns)
      kernels.result(&shape, products(piece, row: row, room), room.buffer, task.result + first * size)
    }
  }

  /// Any result: pixels wait as `[row][column][panel columns]`, are turned if need be, and finished.
  private func finish(_ task: GatherTask, _ piece: Piece, _ panel: Int, _ room: Room) {
    let (height, width) = pixels(piece)
    for row in piece.rows {
      var shape = shape(
        piece, row: row, rowStride: width * panels.columns, pixelStride: panels.columns, channels: panels.columns)
      kernels.result(
        &shape, products(piece, row: row, room), room.buffer,
        room.waiting + 4 * (row - piece.rows.lowerBound) * width * panels.columns * size)
    }
    let channel = panel * panels.columns
    let channels = panels.width(panel)
    let top = 4 * piece.rows.lowerBound
    var output = task.output
    output.bias = task.output.bias.map { $0 + channel * size }
    // Whole rows are neighbours in the result.
    let isRun = width == result.extents.width
    let count = isRun ? height * width : width
    if !result.isChannelsLast {
      gemm.turn(room.waiting, height * width, channels, panels.columns, room.turnedResult, height * width)
      output.biasIsByRow = true
    }
    for row in isRun ? 0..<1 : 0..<height {
      let first = result.offset(piece.sample, 0, top + row, 4 * piece.columns.lowerBound, channel: channel)
      output.residual = task.output.residual.map { $0 + first * size }
      if result.isChannelsLast {
        output.residualRowStride = result.channels
        gemm.finish(
          room.waiting + row * width * panels.columns * size, panels.columns, count, channels,
          task.result + first * size, result.channels, &output)
      } else {
        output.residualRowStride = result.planeStride
        gemm.finish(
          room.turnedResult + row * width * size, height * width, channels, count, task.result + first * size,
          result.planeStride, &output)
      }
    }
  }
}
