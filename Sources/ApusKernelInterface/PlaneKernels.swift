/// A block of planes: up to three channels of a result whose width lies along the vectors.
///
/// result[k][row][column] = sum over channels, width taps and height taps, in this order, of
/// `weights[channel][width tap][k][height tap]` x `source[channel][row + height tap][column + width tap]`. One chain of
/// multiply-adds from zero, or from what the result holds. The three pointers travel beside this.
@frozen public struct PlaneTileShape {
  /// Channels of the source.
  public var channels: Int
  /// From one plane of the source to the next, in elements.
  public var planeStride: Int
  /// From one row of the source to the next.
  public var rowStride: Int
  /// Taps along the width.
  public var widthTaps: Int
  /// From one tap along the width to the next, in elements of the source.
  public var tapStride: Int
  /// Weights of taps that are passed over after those of each channel.
  public var skippedWeights: Int
  /// Taps along the height, 1 to `PlaneKernels.heightTaps`.
  public var heightTaps: Int
  /// Channels of the result, 1 to 3.
  public var resultChannels: Int
  /// From one plane of the result to the next, in elements.
  public var resultPlaneStride: Int
  /// From one row of the result to the next, in elements.
  public var resultRowStride: Int
  /// Rows that are stored, at most what the kernel computes; whole vectors of the source are read for all of those.
  public var rows: Int
  /// Columns that are stored, at most two vectors.
  public var columns: Int
  /// result += sum.
  public var accumulate: Bool
  /// The chains go on from the result.
  public var continues: Bool
  /// The first row of the source, counted from where it begins, that is not padding: such rows are passed over.
  public var firstRow: Int
  /// The row of the source after the last that is not padding.
  public var endRow: Int
  /// A sum of zero is stored as +0, so that its bits do not tell whether products with zeros were left out.
  public var hasPositiveZeros: Bool

  /// Every field as given.
  @inlinable public init(
    channels: Int, planeStride: Int, rowStride: Int, widthTaps: Int, tapStride: Int, skippedWeights: Int,
    heightTaps: Int, resultChannels: Int, resultPlaneStride: Int, resultRowStride: Int, rows: Int, columns: Int,
    accumulate: Bool, continues: Bool,
    firstRow: Int, endRow: Int, hasPositiveZeros: Bool
  ) {
    self.channels = channels
    self.planeStride = planeStride
    self.rowStride = rowStride
    self.widthTaps = widthTaps
    self.tapStride = tapStride
    self.skippedWeights = skippedWeights
    self.heightTaps = heightTaps
    self.resultChannels = resultChannels
    self.resultPlaneStride = resultPlaneStride
    self.resultRowStride = resultRowStride
    self.rows = rows
    self.columns = columns
    self.accumulate = accumulate
    self.continues = continues
    self.firstRow = firstRow
    self.endRow = endRow
    self.hasPositiveZeros = hasPositiveZeros
  }
}

/// Sums of products of two planes, one shifted along its rows: of up to three planes dy[k] with up to five shifts of x,
///
/// result[k][shift] += sum over samples, rows and columns of dy[sample][k][row][column] x[sample][row][column + shift].
///
/// Each lane is a chain over the columns that fall to it, then over rows and samples; the lanes are summed by halves.
@frozen public struct PlaneProductShape {
  /// Number of samples.
  public var samples: Int
  /// Rows of dy in each.
  public var rows: Int
  /// Columns of each row.
  public var columns: Int
  /// From one sample of x to the next.
  public var xSampleStride: Int
  /// From one row of x to the next.
  public var xRowStride: Int
  /// From one sample of dy to the next.
  public var dySampleStride: Int
  /// From one row of dy to the next.
  public var dyRowStride: Int
  /// Planes of dy, 1 to 3.
  public var planes: Int
  /// From one plane of dy to the next.
  public var dyPlaneStride: Int
  /// 1 to `PlaneKernels.heightTaps`.
  public var shifts: Int
  /// From one plane's results to the next one's; those of a plane are neighbours.
  public var resultStride: Int

  /// Every field as given.
  @inlinable public init(
    samples: Int, rows: Int, columns: Int, xSampleStride: Int, xRowStride: Int, dySampleStride: Int, dyRowStride: Int,
    planes: Int, dyPlaneStride: Int, shifts: Int, resultStride: Int
  ) {
    self.samples = samples
    self.rows = rows
    self.columns = columns
    self.xSampleStride = xSampleStride
    self.xRowStride = xRowStride
    self.dySampleStride = dySampleStride
    self.dyRowStride = dyRowStride
    self.planes = planes
    self.dyPlaneStride = dyPlaneStride
    self.shifts = shifts
    self.resultStride = resultStride
  }
}

/// Rows of a plane into rows with zeros on both sides.
@frozen public struct PadRowsShape {
  /// Number of rows.
  public var rows: Int
  /// Columns that exist in each row.
  public var columns: Int
  /// From one row of the source to the next.
  public var sourceStride: Int
  /// From one row of the result to the next.
  public var resultStride: Int
  /// Zeros before a row.
  public var left: Int
  /// Zeros after a row.
  public var right: Int

  /// Every field as given.
  @inlinable public init(
    rows: Int, columns: Int, sourceStride: Int, resultStride: Int, left: Int, right: Int
  ) {
    self.rows = rows
    self.columns = columns
    self.sourceStride = sourceStride
    self.resultStride = resultStride
    self.left = left
    self.right = right
  }
}

/// Kernels on planes for one data type, filled in by each instruction set.
@frozen public struct PlaneKernels: Sendable {
  /// (pointer to a `PlaneTileShape`, source, weights, result)
  public typealias Tile =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  /// (pointer to a `PadRowsShape`, source, result). Writes up to a vector past a row's end, the later row's over the
  /// earlier one's surplus.
  public typealias PadRows = @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void

  /// (pointer to a `PlaneProductShape`, x, dy, result)
  public typealias Products =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void

  /// Height taps of a tile, and shifts of a product, at most.
  public static var heightTaps: Int { 5 }

  /// Rows that a tile of 1, 2 or 3 channels computes where its columns fit one vector.
  public var narrowRows: InlineArray<3, Int>
  /// Rows that a tile of 1, 2 or 3 channels computes where its columns take two vectors.
  public var wideRows: InlineArray<3, Int>
  /// One tile.
  public var tile: Tile
  /// Padding.
  public var padRows: PadRows
  /// The gradient by weights.
  public var products: Products

  /// The table of one instruction set.
  @inlinable public init(
    narrowRows: InlineArray<3, Int>, wideRows: InlineArray<3, Int>, tile: Tile, padRows: PadRows,
    products: Products
  ) {
    self.narrowRows = narrowRows
    self.wideRows = wideRows
    self.tile = tile
    self.padRows = padRows
    self.products = products
  }
}
