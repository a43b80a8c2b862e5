/// A line of neighbouring 6x6 tiles of the source, four columns apart, into the transformed domain.
///
/// The pointers travel beside this: the source at row 0, column 0 of the first tile, which need not exist, zeros for six
/// pixels, room for 36 vectors, and plane 0 of the first tile. Plane i * 6 + j of a tile is at i * 6 + j plane strides.
@frozen public struct WinogradSourceShape {
  /// Tiles of the line.
  public var tiles: Int
  /// From one row of the source to the next, in elements.
  public var rowStride: Int
  /// From one pixel of the source to the next, in elements.
  public var pixelStride: Int
  /// Of the source, neighbours in memory.
  public var channels: Int
  /// The first of the tiles' six rows that exists; others are zeros.
  public var firstRow: Int
  /// Behind the last row that exists.
  public var endRow: Int
  /// The first column that exists, counted from the first tile's first.
  public var firstColumn: Int
  /// Behind the last column that exists.
  public var endColumn: Int
  /// From one plane of the result to the next: elements of whole vectors.
  public var planeStride: Int
  /// From one tile to the next in a plane: elements of whole vectors.
  public var tileStride: Int

  /// Every field as given.
  @inlinable public init(
    tiles: Int, rowStride: Int, pixelStride: Int, channels: Int, firstRow: Int, endRow: Int, firstColumn: Int,
    endColumn: Int, planeStride: Int, tileStride: Int
  ) {
    self.tiles = tiles
    self.rowStride = rowStride
    self.pixelStride = pixelStride
    self.channels = channels
    self.firstRow = firstRow
    self.endRow = endRow
    self.firstColumn = firstColumn
    self.endColumn = endColumn
    self.planeStride = planeStride
    self.tileStride = tileStride
  }
}

/// A line of neighbouring tiles of products back from the transformed domain, into 4x4 pixels each.
@frozen public struct WinogradResultShape {
  /// From one plane of the products to the next: elements of whole vectors.
  public var planeStride: Int
  /// From one tile to the next in a plane: elements of whole vectors.
  public var tileStride: Int
  /// From one row of the result to the next, in elements.
  public var rowStride: Int
  /// From one pixel of the result to the next, in elements.
  public var pixelStride: Int
  /// Of the result, neighbours in memory.
  public var channels: Int
  /// Rows of the result, 1...4.
  public var rows: Int
  /// Columns of the result, of which the last tile may have fewer than four.
  public var columns: Int
  /// The result is added to rather than overwritten.
  public var accumulate: Bool

  /// Every field as given.
  @inlinable public init(
    planeStride: Int, tileStride: Int, rowStride: Int, pixelStride: Int, channels: Int, rows: Int, columns: Int,
    accumulate: Bool
  ) {
    self.planeStride = planeStride
    self.tileStride = tileStride
    self.rowStride = rowStride
    self.pixelStride = pixelStride
    self.channels = channels
    self.rows = rows
    self.columns = columns
    self.accumulate = accumulate
  }
}

/// The transforms of Winograd's convolution F(4x4, 3x3) for one data type, filled in by each instruction set.
@frozen public struct WinogradKernels: Sendable {
  /// (pointer to a `WinogradSourceShape`, source, zeros, buffer of 36 vectors, planes)
  public typealias Source =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer
    ) -> Void
  /// (pointer to a `WinogradResultShape`, planes, buffer of 24 vectors, result)
  public typealias Result =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Void
  /// (nine taps, whole vectors in each, planes): as many vectors in each of 36 planes.
  public typealias Weights = @convention(c) (UnsafeRawPointer, Int, UnsafeMutableRawPointer) -> Void

  /// Tiles of the source into planes.
  public var source: Source
  /// Planes of products into pixels.
  public var result: Result
  /// Weights into planes.
  public var weights: Weights

  /// The table of one instruction set.
  @inlinable public init(source: Source, result: Result, weights: Weights) {
    self.source = source
    self.result = result
    self.weights = weights
  }
}
