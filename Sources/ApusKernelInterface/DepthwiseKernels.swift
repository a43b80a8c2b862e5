/// Lines of a depthwise convolution, channels being neighbours in source and result: each element of the result is a sum
/// over the taps of its own channel, `source[first + position * stride + tap * step] * weights[tap]`.
///
/// Taps go by depth, height, width and, where a result channel has several source channels, by those. Taps in slices and
/// rows outside of the source are left out, columns outside of it count as zeros. Distances are in elements.
@frozen public struct DepthwiseShape {
  /// Lines of the result, and positions of each.
  public var lines = 0
  /// Positions of each line.
  public var columns = 0
  /// Channels of the result.
  public var channels = 0

  /// Rows and columns of the source; the pointer that travels beside this belongs to slice 0, row 0, column 0.
  public var sourceHeight = 0
  /// Columns of the source.
  public var sourceWidth = 0
  /// From one column, row and slice of the source to the next.
  public var pixelPitch = 0
  /// From one row of the source to the next.
  public var rowPitch = 0
  /// From one slice of the source to the next.
  public var slicePitch = 0
  /// Source slice, row and column of the first tap of the first position; they may lie outside of the source.
  public var slice = 0
  /// The same for the row.
  public var row = 0
  /// The same for the column.
  public var column = 0
  /// Rows and columns from one position to the next.
  public var rowStride = 1
  /// Columns from one position to the next.
  public var columnStride = 1

  /// Taps in depth that lie inside of the source.
  public var firstDepthTap = 0
  /// The tap in depth after the last that lies inside of the source.
  public var endDepthTap = 0
  /// Taps in height and width.
  public var heightTaps = 0
  /// Taps in width.
  public var widthTaps = 0
  /// Slices, rows and columns from one tap to the next.
  public var depthStep = 1
  /// Rows from one tap to the next.
  public var heightStep = 1
  /// Columns from one tap to the next.
  public var widthStep = 1
  /// Source channels of a result channel, and from one to the next.
  public var multiplier = 1
  /// From one source channel of a result channel to the next.
  public var multiplierPitch = 0

  /// From one position of the result to the next, and from one line to the next.
  public var resultPixelPitch = 0
  /// From one line of the result to the next.
  public var resultRowPitch = 0
  /// The result is added to rather than overwritten.
  public var accumulate = false
  /// Source and result are larger than the caches: the next columns of the source are fetched ahead, and a result of
  /// positions goes past the caches where it is aligned.
  public var isLarge = false

  /// From one vector of channels to the next in the weights, whose taps are vectors one after the other.
  public var weightPitch = 0
  /// A vector of zeros.
  public var zeros: UnsafeRawPointer
  /// Groups of positions that a row is taken by, so many that with all channels of the problem they fill what waits: a
  /// function of the problem alone, because a gradient's sums go by them.
  public var groups = 1
  /// Vectors of channels that wait at most, times groups.
  public static let waitingUnits = 8
  /// `groups` for so many whole vectors of channels.
  @inlinable public static func groups(vectors: Int) -> Int { max(1, waitingUnits / max(1, vectors)) }
  /// Room for `waitingVectors` vectors, in which sums, or dy, wait for the next row.
  public var waiting: UnsafeMutableRawPointer?
  /// Three lines of seven positions of eight vectors of channels.
  public static let waitingVectors = 3 * 7 * waitingUnits

  /// No lines.
  @inlinable public init(zeros: UnsafeRawPointer) { self.zeros = zeros }
}

/// The gradient by data of a 3x3 kernel of stride 2: each position spreads into 2x2 pixels of the result. Along either
/// direction one of the two pixels meets one tap and the other meets two neighbours.
///
/// The order of taps, rows and columns outside of the source, and distances, are as in `DepthwiseShape`.
@frozen public struct DepthwiseSpreadShape {
  /// Positions, all of whose four pixels exist.
  public var lines = 0
  /// Positions of each line.
  public var columns = 0
  /// Channels: whole vectors.
  public var channels = 0
  /// Rows and columns of the source, and from one column or row to the next; as in `DepthwiseShape`, the pointer that
  /// travels beside this belongs to row 0, column 0.
  public var sourceHeight = 0
  /// Columns of the source.
  public var sourceWidth = 0
  /// From one column of the source to the next.
  public var pixelPitch = 0
  /// From one row of the source to the next.
  public var rowPitch = 0
  /// Source row and column of the first position's first of two taps, and how far from it the single tap's is.
  public var row = 0
  /// The same for the column.
  public var column = 0
  /// Row of the pixel that meets a single tap.
  public var singleRow = 0
  /// Column of the pixel that meets a single tap.
  public var singleColumn = 0
  /// Where the taps of the pixels lie in a vector's weights: (rows, columns) of one or two taps.
  public var oneOne = 0
  /// The same for one row and two columns of taps.
  public var oneTwo = 0
  /// The same for two rows and one column.
  public var twoOne = 0
  /// The same for two rows and two columns.
  public var twoTwo = 0
  /// From the first pixel of a position to those of a single tap and of two taps: 0 or the pitch.
  public var oneRow = 0
  /// The same for the row of two taps.
  public var twoRow = 0
  /// The same for the column of a single tap.
  public var oneColumn = 0
  /// The same for the column of two taps.
  public var twoColumn = 0
  /// From one position of the result to the next, and from one line of positions to the next.
  public var resultColumnPitch = 0
  /// From one line of positions of the result to the next.
  public var resultLinePitch = 0
  /// The result is added to rather than overwritten.
  public var accumulate = false
  /// The result is larger than the caches, and goes past them where it is aligned.
  public var isLarge = false
  /// From one vector of channels to the next in the weights.
  public var weightPitch = 0
  /// A vector of zeros.
  public var zeros: UnsafeRawPointer

  /// No lines.
  @inlinable public init(zeros: UnsafeRawPointer) { self.zeros = zeros }
}

/// Depthwise convolution's kernels for one data type, filled in by each instruction set.
@frozen public struct DepthwiseKernels: Sendable {
  /// (pointer to a `DepthwiseShape`, source, weights, result)
  public typealias Lines =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  /// (pointer to a `DepthwiseShape`, source, weights' sums, gradient of the result): the shape is the forward one's.
  public typealias Gradient =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeRawPointer) -> Void
  /// Lines of the result from the source.
  public var lines: Lines
  /// Lines of 2x2 pixels, from a `DepthwiseSpreadShape`.
  public var spread: Lines
  /// Adds the products of some lines to the sums by tap, in the order of the positions.
  public var gradient: Gradient

  /// The table of one instruction set.
  @inlinable public init(lines: Lines, spread: Lines, gradient: Gradient) {
    self.lines = lines
    self.spread = spread
    self.gradient = gradient
  }
}
