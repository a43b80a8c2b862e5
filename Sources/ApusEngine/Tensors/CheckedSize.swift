/// Size arithmetic that remembers an overflow instead of ending the process.
struct CheckedSize {
  private(set) var value: Int
  private(set) var overflowed = false

  init(_ value: Int) { self.value = value }

  static func * (a: CheckedSize, b: Int) -> CheckedSize {
    let (product, overflow) = a.value.multipliedReportingOverflow(by: b)
    return CheckedSize(product, a.overflowed || overflow)
  }
  static func + (a: CheckedSize, b: CheckedSize) -> CheckedSize {
    let (sum, overflow) = a.value.addingReportingOverflow(b.value)
    return CheckedSize(sum, a.overflowed || b.overflowed || overflow)
  }
  private init(_ value: Int, _ overflowed: Bool) {
    self.value = value
    self.overflowed = overflowed
  }
}

extension Int {
  /// This number rounded up to a multiple of `step`.
  func roundedUp(to step: Int) -> Int { (self + step - 1) / step * step }
  func dividedRoundingUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
