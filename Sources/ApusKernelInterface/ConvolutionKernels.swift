/// Lines of register tiles: C[line][pixel][column], every pixel the sum over a list of blocks of A times the same blocks
/// of B ("batch-reduce GEMM"). A convolution's lines are rows of its output, its blocks are the taps of the kernel.
///
/// The three pointers travel beside this: A at the first line's first pixel, B at the first block's first step, C at the
/// first element. Columns are contiguous, and no more than a tile has.
@frozen public struct TileLinesShape {
  /// Strides, blocks and columns of every tile; its rows, and where sums are stored or added, are the kernel's. Its
  /// `bPrefetch` is the first tile's alone.
  public var tile: GemmTileShape
  /// The pixels of a line by register tiles.
  public var tiles: BalancedSplit
  /// Number of lines.
  public var lines: Int
  /// From one line of A to the next, in elements.
  public var aLineStride: Int
  /// From one line of C to the next, in elements; from pixel to pixel it is the tile's row stride.
  public var cLineStride: Int
  /// How the sums reach C; its pointers belong to the first pixel.
  public var output: GemmOutput
  /// From one line of the residual to the next, in elements.
  public var residualLineStride: Int
  /// Room for one tile, for outputs that neither plainly overwrite nor plainly accumulate.
  public var tileBuffer: UnsafeMutableRawPointer?
  /// From one row of the tile buffer to the next, in elements.
  public var tileBufferStride: Int
  /// `aheadElements` that a later call reads. The tiles after the first ask for them, in the order in which they lie: so
  /// the hardware's own prefetcher follows.
  public var ahead: UnsafeRawPointer?
  /// See `ahead`.
  public var aheadElements = 0
  /// Where a line's first and last pixels meet padding: finer blocks for the tiles that hold them, and which of those
  /// are zeros. 0: all tiles have the same blocks.
  public var edgeBlocks = 0
  /// Steps in each of those blocks.
  public var edgeSteps = 0
  /// As the tile's `aOffsets`, `bOffsets` and `zeroRows`.
  public var edgeAOffsets: UnsafePointer<Int>?
  /// See `edgeAOffsets`.
  public var edgeBOffsets: UnsafePointer<Int>?
  /// See `edgeAOffsets`.
  public var edgeZeroRows: UnsafePointer<Int>?
  /// 1 where the first pixel meets padding, 2 where the last does.
  public var edgeMask = 0

  /// Lines that plainly overwrite C.
  @inlinable public init(
    tile: GemmTileShape, tiles: BalancedSplit, lines: Int, aLineStride: Int, cLineStride: Int
  ) {
    self.tile = tile
    self.tiles = tiles
    self.lines = lines
    self.aLineStride = aLineStride
    self.cLineStride = cLineStride
    output = GemmOutput()
    residualLineStride = 0
    tileBuffer = nil
    tileBufferStride = 0
  }
}

/// Weights between the framework's order and panels of columns.
///
/// The framework's side has `rows` rows of `channels` x `taps` elements, the taps being neighbours; the panels' side has,
/// for each (channel, tap), a row of `rows` neighbours at `tapOffsets[tap] + channel * channelStride`.
@frozen public struct TapPanelShape {
  /// Rows on the framework's side: columns of the panel.
  public var rows: Int
  /// From one row to the next, in elements.
  public var rowStride: Int
  /// Channels in a row.
  public var channels: Int
  /// Taps of a channel.
  public var taps: Int
  /// `taps` distances in elements.
  public var tapOffsets: UnsafePointer<Int>
  /// From one channel to the next on the panels' side, in elements.
  public var channelStride: Int
  /// The framework's side is added to rather than overwritten; packing ignores it.
  public var accumulate = false

  /// A shape that overwrites.
  @inlinable public init(
    rows: Int, rowStride: Int, channels: Int, taps: Int, tapOffsets: UnsafePointer<Int>, channelStride: Int
  ) {
    self.rows = rows
    self.rowStride = rowStride
    self.channels = channels
    self.taps = taps
    self.tapOffsets = tapOffsets
    self.channelStride = channelStride
  }
}

/// Patches: for each pixel of some lines, the runs of the source that its taps read, one after the other.
@frozen public struct PatchShape {
  /// Number of lines.
  public var lines: Int
  /// Pixels in each line.
  public var pixels: Int
  /// From one line of the source to the next, in elements.
  public var lineStride: Int
  /// From one pixel of the source to the next, in elements.
  public var pixelStride: Int
  /// Runs of a pixel.
  public var runs: Int
  /// Elements of a run.
  public var length: Int
  /// Where each run begins, counted from its pixel.
  public var offsets: UnsafePointer<Int>

  /// Every field as given.
  @inlinable public init(
    lines: Int, pixels: Int, lineStride: Int, pixelStride: Int, runs: Int, length: Int, offsets: UnsafePointer<Int>
  ) {
    self.lines = lines
    self.pixels = pixels
    self.lineStride = lineStride
    self.pixelStride = pixelStride
    self.runs = runs
    self.length = length
    self.offsets = offsets
  }
}

/// Convolution's kernels for one data type, filled in by each instruction set.
@frozen public struct ConvolutionKernels: Sendable {
  /// (pointer to a `TileLinesShape`, a, b, c)
  public typealias Lines =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  /// (pointer to a `TapPanelShape`, source, destination)
  public typealias TapPanel = @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void

  /// (pointer to a `PatchShape`, source, patches)
  public typealias Patches = @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void

  /// Lines of tiles with any output.
  public var lines: Lines
  /// The framework's order into panels. Writes whole vectors: up to `lanes` - 1 elements past a row of the panels, so the
  /// panels' rows must be whole vectors.
  public var packTaps: TapPanel
  /// Panels into the framework's order.
  public var unpackTaps: TapPanel

  /// Lays out patches. Reads and writes whole vectors: up to `lanes` - 1 elements past a run, and past the last patch.
  public var patches: Patches
  /// One input channel in each group.
  public var depthwise: DepthwiseKernels

  /// The table of one instruction set.
  @inlinable public init(
    lines: Lines, packTaps: TapPanel, unpackTaps: TapPanel, patches: Patches, depthwise: DepthwiseKernels
  ) {
    self.lines = lines
    self.depthwise = depthwise
    self.patches = patches
    self.packTaps = packTaps
    self.unpackTaps = unpackTaps
  }
}
