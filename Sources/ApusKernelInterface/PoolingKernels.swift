/// A stretch of positions along one dimension: the taps of a window that lie in the input, or the windows that cover an
/// input position.
@frozen public struct PoolingSpan: Sendable {
  /// The first position.
  public var first: Int32
  /// How many; of taps, every `dilation`th position from the first on.
  public var count: Int32

  /// A stretch of `count` positions from `first` on.
  @inlinable public init(first: Int32, count: Int32) {
    self.first = first
    self.count = count
  }
}

/// Kinds of pooling as kernels tell them apart: the divisor of an average is data.
@frozen public enum PoolingOperation: Int32, Sendable {
  /// The largest element; NaN is larger than all others.
  case maximum = 0
  /// The sum times a factor.
  case average = 1
  /// (sum |x|^p)^(1/p).
  case norm = 2
}

/// Geometry of one dimension.
@frozen public struct PoolingDimension {
  /// Positions of the input.
  public var input = 1
  /// Positions of the output.
  public var output = 1
  /// Positions between neighbouring taps.
  public var dilation = 1
  /// Positions between neighbouring windows, and padding before the first element; 0 and 0 for adaptive windows, which
  /// only `windows` describes.
  public var stride = 1
  /// See `stride`.
  public var padBefore = 0
  /// Taps of a whole window.
  public var window = 1
  /// For each of the `output` positions, the taps that lie in the input: at least one.
  public var windows: UnsafePointer<PoolingSpan>
  /// For each of the `input` positions, the windows that may cover it (with dilation, some may step over it).
  public var covers: UnsafePointer<PoolingSpan>

  /// One position, one window, one tap; the tables must outlive it.
  @inlinable public init(windows: UnsafePointer<PoolingSpan>, covers: UnsafePointer<PoolingSpan>) {
    self.windows = windows
    self.covers = covers
  }
}

/// A pooling problem for kernels. Samples are dense, `channels` are neighbours in memory: a tensor with channels last
/// has its own, one with channels first has 1, and its planes are samples.
///
/// An output row is a run of `width.output` pixels; rows are counted through samples, depth and height, in the output as
/// in the input.
@frozen public struct PoolingShape {
  /// Kind.
  public var operation = PoolingOperation.maximum
  /// Elements of a pixel.
  public var channels = 1
  /// Geometry.
  public var depth: PoolingDimension
  /// Geometry.
  public var height: PoolingDimension
  /// Geometry.
  public var width: PoolingDimension
  /// The factor of every sum of an average; not used where there are `factors`.
  public var factor = 1.0
  /// For each output position of a sample, the factor of its sum, in the data type; nil where all are `factor`.
  public var factors: UnsafeRawPointer?
  /// p of a norm.
  public var norm = 2.0
  /// Indices are Int64 rather than Int32.
  public var indicesAreWide = false
  /// Gradients are added to what is there.
  public var accumulates = false
  /// Data are larger than what of the caches is this operation's: what backward writes goes past them, and sweeps by
  /// windows two or three wide ask for the next row. What lies in the last level is not worth asking for.
  public var streams = false
  /// Of the kernels along the width: elements of a row in scratch, and how many such rows there are; `setScratch`.
  public var pitch = 0
  /// See `pitch`.
  public var scratchRows = 0

  /// A maximum with one channel.
  @inlinable public init(depth: PoolingDimension, height: PoolingDimension, width: PoolingDimension) {
    self.depth = depth
    self.height = height
    self.width = width
  }
}

extension PoolingShape {
  /// Whether no window hangs over an end of the width.
  @inlinable public var widthsAreWhole: Bool {
    width.padBefore == 0
      && (width.output &- 1) &* width.stride &+ (width.window &- 1) &* width.dilation < width.input
  }
  /// Whether rows lie two by two under the same windows.
  @inlinable public var isPairedAlongHeight: Bool {
    height.stride == 2 && height.window == 2 && height.padBefore == 0 && height.dilation == 1
  }
  /// Whether every plane becomes one element.
  @inlinable public var isGlobal: Bool {
    depth.output == 1 && height.output == 1 && width.output == 1
      && Int(depth.windows[0].count) == depth.input && Int(height.windows[0].count) == height.input
      && Int(width.windows[0].count) == width.input && depth.dilation == 1 && height.dilation == 1
      && width.dilation == 1
  }
  /// Whether the windows of a row can be taken a vector at a time.
  @inlinable public var hasVectorStride: Bool {
    width.stride == 1 || width.stride == 2 && width.dilation == 1
  }
  /// Whether a maximum's indices are found along the width rather than by the general kernel: whose rows fit scratch.
  @inlinable public var findsIndicesAlongWidth: Bool {
    hasVectorStride && (widthsAreWhole || depth.window &* height.window <= 64)
  }
  /// Whether a maximum sends its gradient back along the width rather than by the general kernel.
  @inlinable public var gathersAlongWidth: Bool {
    hasVectorStride && width.dilation == 1 && width.window <= 16
  }

  /// Sets `pitch` and `scratchRows` for the kernels along the width.
  @inlinable public mutating func setScratch(lanes: Int, isForward: Bool, withIndices: Bool) {
    // A row of the input between its paddings, which the last vector of windows may read past; or a row of the output
    // between zeros, or twice one at stride 2.
    let reach = width.stride * (width.output + lanes) + (width.window + 1) * width.dilation
    let inputRow = max(width.padBefore + width.input, reach)
    let outputRow = width.output + width.input + width.padBefore + 2 * width.window + 2 * lanes
    pitch = ((isForward ? inputRow : outputRow) + 2 * lanes + 15) / 16 * 16
    if !isForward {
      scratchRows = operation != .maximum ? 2 : gathersAlongWidth ? width.window + 2 : 0
    } else if withIndices {
      scratchRows = findsIndicesAlongWidth ? (widthsAreWhole ? 1 : depth.window * height.window + 1) : 0
    } else {
      // Several rows, so that what was stored is not read right away, within the first-level cache.
      scratchRows = max(1, min(32, 2048 / pitch), (lanes * lanes + pitch - 1) / pitch)
    }
  }
}

/// Data of a call; which of them are read and which written is each kernel's matter. Pointers are to the first element of
/// the whole tensors.
@frozen public struct PoolingOperands {
  /// Input-shaped data.
  public var x: UnsafeMutableRawPointer?
  /// Output-shaped data.
  public var y: UnsafeMutableRawPointer?
  /// Output-shaped positions: (d * height + h) * width + w in a channel's plane.
  public var indices: UnsafeMutableRawPointer?
  /// Output-shaped gradient.
  public var dy: UnsafeMutableRawPointer?
  /// Input-shaped gradient.
  public var dx: UnsafeMutableRawPointer?
  /// Memory to work in, as much as the kernel says.
  public var scratch: UnsafeMutableRawPointer?

  /// No data.
  @inlinable public init() {}
}

/// Pooling's kernels for one data type, filled in by each instruction set.
@frozen public struct PoolingKernels: Sendable {
  /// (pointer to a `PoolingShape`, pointer to `PoolingOperands`, first row, rows, first channel, channels). The result
  /// of an element depends on neither rows nor channels of a call.
  public typealias Rows = @convention(c) (UnsafeRawPointer, UnsafeRawPointer, Int, Int, Int, Int) -> Void
  /// (indices, number, size of a plane, whether they are Int64): the first index outside of the plane, or -1.
  public typealias Check = @convention(c) (UnsafeRawPointer, Int, Int, Bool) -> Int

  /// Elements of the data type in a vector.
  public var lanes: Int
  /// x to y, output rows; for a maximum, indices where they are not nil. Any geometry.
  public var forward: Rows
  /// dy (and of a maximum the indices, of a norm x and y) to dx, input rows. Any geometry.
  public var backward: Rows
  /// y to x at the indices, which must lie in the plane; zero elsewhere. `rows` are samples.
  public var unpool: Rows
  /// dx at the indices to dy, which is overwritten or added to. `rows` are samples.
  public var unpoolBackward: Rows
  /// Looks for an index that does not lie in the plane.
  public var check: Check
  /// Rows along which neighbours are the windows' positions: for one channel and, along the width, a stride of 1 or 2.
  /// `scratch` has `widthScratch` of the same shape.
  public var forwardAlongWidth: Rows
  /// The same for `backward`.
  public var backwardAlongWidth: Rows

  /// The table of one instruction set.
  @inlinable public init(
    lanes: Int, forward: Rows, backward: Rows, unpool: Rows, unpoolBackward: Rows, check: Check,
    forwardAlongWidth: Rows, backwardAlongWidth: Rows
  ) {
    self.lanes = lanes
    self.forward = forward
    self.backward = backward
    self.unpool = unpool
    self.unpoolBackward = unpoolBackward
    self.check = check
    self.forwardAlongWidth = forwardAlongWidth
    self.backwardAlongWidth = backwardAlongWidth
  }
}
