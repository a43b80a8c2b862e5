internal import ApusEngine
import Synchronization

/// Random numbers of a seed: number i of its Philox sequence is the same on every run, whatever the threads.
///
/// What draws numbers without a generator of its own takes ``current``: that of the task, by ``use(_:)``, or the process's.
/// Its ``state`` is two numbers, with which a run is continued bit for bit.
public final class RandomGenerator: Sendable {
  /// What comes next: a seed, and the place in its sequence.
  public struct State: Sendable, Hashable {
    /// The seed.
    public var seed: UInt64
    /// The number of the sequence that is next.
    public var offset: UInt64

    /// A place in a seed's sequence.
    public init(seed: UInt64, offset: UInt64 = 0) {
      self.seed = seed
      self.offset = offset
    }
  }

  @TaskLocal private static var ofTask: RandomGenerator?
  private static let ofProcess = RandomGenerator(seed: 0)

  /// The task's generator, else the process's, whose seed is 0 until ``state`` is set.
  public static var current: RandomGenerator { ofTask ?? ofProcess }

  private let next: Mutex<State>

  /// The beginning of a seed's sequence.
  public init(seed: UInt64) { next = Mutex(State(seed: seed)) }

  /// What comes next; may be set.
  public var state: State {
    get { next.withLock { $0 } }
    set { next.withLock { $0 = newValue } }
  }

  /// Runs `body` with this generator as ``current``.
  public func use<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Self.$ofTask.withValue(self, operation: body)
  }

  /// Takes `count` numbers of the sequence: their first one's place.
  public func reserve(_ count: Int) -> State {
    next.withLock { state in
      defer { state.offset &+= UInt64(max(0, count)) }
      return state
    }
  }
}

extension Tensor {
  /// Uniform numbers of a range.
  public static func uniform(
    _ shape: [Int], in range: Range<Double> = 0..<1, dtype: DataType = .float32, generator: RandomGenerator = .current
  ) -> Tensor {
    filled(
      RandomFill(.uniform, dataType: dtype.engine, a: range.lowerBound, b: range.upperBound), shape, dtype, generator)
  }

  /// Normal numbers.
  public static func normal(
    _ shape: [Int], mean: Double = 0, deviation: Double = 1, dtype: DataType = .float32,
    generator: RandomGenerator = .current
  ) -> Tensor {
    filled(RandomFill(.normal, dataType: dtype.engine, a: mean, b: deviation), shape, dtype, generator)
  }

  /// Normal numbers of which those outside of some deviations from the mean are drawn again.
  public static func truncatedNormal(
    _ shape: [Int], mean: Double = 0, deviation: Double = 1, within bounds: ClosedRange<Double> = -2...2,
    dtype: DataType = .float32, generator: RandomGenerator = .current
  ) -> Tensor {
    var fill = RandomFill(.truncatedNormal, dataType: dtype.engine, a: mean, b: deviation)
    (fill.low, fill.high) = (bounds.lowerBound, bounds.upperBound)
    return filled(fill, shape, dtype, generator)
  }

  private static func filled(_ fill: RandomFill, _ shape: [Int], _ dtype: DataType, _ generator: RandomGenerator)
    -> Tensor
  {
    require(dtype.isFloatingPoint, "random numbers are float32 or float64, not \(dtype)")
    let y = Tensor(uninitialized: shape, dtype)
    let start = generator.reserve(y.count)
    compute("random", y) { context throws(ApusEngine.ApusError) in
      try fill.run(context: context, seed: start.seed, offset: start.offset, count: y.count, y: y.result)
    }
    return y
  }

  /// Each element 0 with a probability, else divided by the probability to stay; the same elements' gradients are 0.
  public func droppingOut(_ probability: Double, generator: RandomGenerator = .current) -> Tensor {
    require(
      probability >= 0 && probability <= 1, "dropout: the probability is \(probability), but it must be from 0 to 1")
    let start = generator.reserve(count)
    return droppingOut(probability, start)
  }

  private func droppingOut(_ probability: Double, _ start: RandomGenerator.State) -> Tensor {
    let x = detached().contiguous()
    let y = Tensor(uninitialized: shape, dtype)
    compute("dropout", x, y) { context throws(ApusEngine.ApusError) in
      try ApusEngine.Dropout.run(
        dtype.engine, context: context, probability: probability, seed: start.seed, offset: start.offset,
        count: x.count,
        x: x.base, y: y.result)
    }
    return y.recorded("dropout", self) { dy in [dy.droppingOut(probability, start)] }
  }
}
