#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A learning rate for each step or epoch, counted from 0.
///
///     optimizer.learningRate = Schedule.cosine(from: 0.1, over: 100).warmedUp(over: 5).rate(at: epoch)
public struct Schedule: Sendable {
  private let function: @Sendable (Int) -> Double

  /// Any function of the step.
  public init(_ function: @escaping @Sendable (_ step: Int) -> Double) { self.function = function }

  /// The rate of a step.
  public func rate(at step: Int) -> Double { function(step) }

  /// One rate.
  public static func constant(_ rate: Double) -> Schedule { Schedule { _ in rate } }

  /// rate factor^floor(step / period).
  public static func steps(from rate: Double, every period: Int, factor: Double = 0.1) -> Schedule {
    require(period > 0, "a schedule's period is above 0, not \(period)")
    return Schedule { rate * pow(factor, Double($0 / period)) }
  }

  /// Half a cosine from `rate` to `end` over so many steps, then `end` (I. Loshchilov, F. Hutter, 2017).
  public static func cosine(from rate: Double, to end: Double = 0, over steps: Int) -> Schedule {
    require(steps > 0, "a schedule's length is above 0, not \(steps)")
    return Schedule { step in
      let share = Double(Swift.min(step, steps)) / Double(steps)
      return end + (rate - end) * (1 + cos(Double.pi * share)) / 2
    }
  }

  /// This schedule behind so many steps in which the rate grows from 0 to its first.
  public func warmedUp(over steps: Int) -> Schedule {
    require(steps >= 0, "a warm-up's length is at least 0, not \(steps)")
    let own = self
    return Schedule { step in
      step < steps ? own.rate(at: 0) * Double(step + 1) / Double(steps) : own.rate(at: step - steps)
    }
  }
}

/// Lowers a learning rate where a loss no longer falls.
public struct PlateauSchedule: Sendable {
  /// The rate now.
  public internal(set) var rate: Double
  /// What the rate is multiplied by.
  public let factor: Double
  /// So many losses in a row may fail to be the lowest.
  public let patience: Int
  /// The rate stays above.
  public let lowest: Double
  /// The lowest loss, and losses since; a checkpoint has them.
  var best = Double.infinity
  var waited = 0

  /// A schedule that begins with a rate.
  public init(from rate: Double, factor: Double = 0.1, patience: Int = 10, lowest: Double = 0) {
    self.rate = rate
    self.factor = factor
    self.patience = patience
    self.lowest = lowest
  }

  /// Takes the next loss, and gives the rate from now on.
  public mutating func update(loss: Double) -> Double {
    if loss < best {
      best = loss
      waited = 0
    } else {
      waited += 1
      if waited > patience {
        rate = Swift.max(lowest, rate * factor)
        waited = 0
      }
    }
    return rate
  }
}
