internal import ApusEngine

/// The order of a tensor's dimensions in memory, for tensors with channels and 1 to 3 spatial dimensions. They are dense.
public enum TensorLayout: CaseIterable, Sendable, Hashable {
  /// N, C, then the spatial dimensions: NCL, NCHW, NCDHW.
  case channelsFirst
  /// N, the spatial dimensions, then C: NLC, NHWC, NDHWC.
  case channelsLast

  var engine: ApusEngine.TensorLayout { self == .channelsFirst ? .channelsFirst : .channelsLast }
}

/// Zeros around the spatial dimensions of an input.
public enum SpatialPadding: Sendable, Hashable {
  /// None.
  case valid
  /// As many as make the output ceil(N / stride) long; an odd one goes behind.
  case same
  /// So many before the first and behind the last element of each spatial dimension.
  case explicit(before: [Int], after: [Int])

  /// The same number on both sides of each spatial dimension.
  public static func symmetric(_ counts: [Int]) -> SpatialPadding { .explicit(before: counts, after: counts) }
}

/// What happens where a stride does not divide the way of a window.
public enum WindowRounding: CaseIterable, Sendable, Hashable {
  /// What is left over at the end is not visited.
  case floor
  /// A last window hangs over the end, unless it would begin past the input and the padding before it. For pooling only.
  case ceil
  /// It is an error, whose message names the stride and the way.
  case strict

  var engine: ApusEngine.WindowRounding {
    switch self {
    case .floor: .floor
    case .ceil: .ceil
    case .strict: .strict
    }
  }
}
