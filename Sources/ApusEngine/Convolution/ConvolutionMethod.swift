import ApusKernelInterface

/// Checked pointers of one run by data, forward or backward.
struct GatherTask: @unchecked Sendable {
  /// x of a forward convolution, dy of a backward one.
  var source: UnsafeRawPointer
  /// In the method's own form.
  var weights: UnsafeRawPointer
  var result: UnsafeMutableRawPointer
  /// Bias by channel of the result, residual in the result's shape and layout.
  var output: GemmOutput
}

/// Checked pointers of one run by weights.
struct WeightGradientTask: @unchecked Sendable {
  var x: UnsafeRawPointer
  var dy: UnsafeRawPointer
  /// In the method's own form.
  var weights: UnsafeMutableRawPointer
  /// `weights` holds sums to add to.
  var accumulate: Bool
}

/// One algorithm, planned for one problem. Methods are immutable; any number of threads may run one at once.
protocol ConvolutionMethod: AnyObject, Sendable {
  /// For people: what the algorithm's name does not say.
  var details: String { get }
  /// Elements of the method's own form of the weights.
  var weightElements: Int { get }
  /// Independent parts of `pack` and `unpack`.
  var weightParts: Int { get }
  /// The framework's order (K, C/g, taps) of part `part` into the own form. Allocates nothing.
  func pack(_ weights: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int)
  /// The own form of part `part` into the framework's order.
  func unpack(_ own: UnsafeRawPointer, into weights: UnsafeMutableRawPointer, accumulate: Bool, part: Int)
  /// Scratch for one of `threads` threads' slots, and for the whole call.
  func scratchBytes(threads: Int) -> (slot: Int, call: Int)
}

/// A method that gathers: forward, or backward by data.
protocol GatherMethod: ConvolutionMethod {
  func run(
    _ task: GatherTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError)
}

/// A method that gives the gradient by weights.
protocol WeightGradientMethod: ConvolutionMethod {
  func run(
    _ task: WeightGradientTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError)
}

/// An array of offsets that kernels read by pointer and that lives as long as its owner.
final class OffsetTable: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<Int>
  let count: Int

  init(_ offsets: [Int]) {
    count = offsets.count
    pointer = .allocate(capacity: max(1, count))
    pointer.initialize(to: 0)
    for (i, offset) in offsets.enumerated() { pointer[i] = offset }
  }
  deinit { pointer.deallocate() }
}
