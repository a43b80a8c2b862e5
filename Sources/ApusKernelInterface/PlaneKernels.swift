/// A block of planes: up to three channels of a result whose width lies along the vectors.
///
/// result[k][row][column] = sum over channels, width taps and height taps, in this order, of
/// `weights[channel][width tap][k][height tap]` x `source[channel][row + height tap][column + width tap]`. One chain of
/// multiply-adds from zero, or from what the result holds. The three pointers travel beside this.
@frozen public struct PlaneTileShape {
  /// Channels of the source, and the distance between their planes.
  public var channels: Int
  public var planeStride: Int
  /// From one row of the source to the next.
  public var rowStride: Int
  /// Taps along the width, neighbours in the source.
  public var widthTaps: Int
  /// Taps along the height, 1 to `PlaneKernels.heightTaps`.
  public var heightTaps: Int
  /// Channels of the result, 1 to 3; their planes, and their rows.
  public var resultChannels: Int
  public var resultPlaneStride: Int
  public var resultRowStride: Int
  /// Rows that are stored, at most what the kernel computes; whole vectors of the source are read for all of those.
  public var rows: Int
  /// Columns that are stored, at most two vectors.
  public var columns: Int
  /// result += sum.
  public var accumulate: Bool
  /// The chains go on from the result.
  public var continues: Bool
  /// Rows of the source, counted from where it begins, that are not padding: others are passed over.
  public var firstRow: Int
  public var endRow: Int

  /// Every field as given.
  @inlinable public init(
    channels: Int, planeStride: Int, rowStride: Int, widthTaps: Int, heightTaps: Int, resultChannels: Int,
    resultPlaneStride: Int, resultRowStride: Int, rows: Int, columns: Int, accumulate: Bool, continues: Bool,
    firstRow: Int, endRow: Int
  ) {
    self.channels = channels
    self.planeStride = planeStride
    self.rowStride = rowStride
    self.widthTaps = widthTaps
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
  }
}

/// Rows of a plane into rows with zeros on both sides.
@frozen public struct PadRowsShape {
  /// Rows, and columns that exist in each.
  public var rows: Int
  public var columns: Int
  /// From one row of the source to the next, and of the result.
  public var sourceStride: Int
  public var resultStride: Int
  /// Zeros before and after a row.
  public var left: Int
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

  /// Height taps of a tile at most.
  public static var heightTaps: Int { 5 }

  /// Rows that a tile of 1, 2 or 3 channels computes where its columns fit one vector, and where they do not.
  public var narrowRows: InlineArray<3, Int>
  public var wideRows: InlineArray<3, Int>
  /// One tile.
  public var tile: Tile
  /// Padding.
  public var padRows: PadRows

  /// The table of one instruction set.
  @inlinable public init(narrowRows: InlineArray<3, Int>, wideRows: InlineArray<3, Int>, tile: Tile, padRows: PadRows) {
    self.narrowRows = narrowRows
    self.wideRows = wideRows
    self.tile = tile
    self.padRows = padRows
  }
}
