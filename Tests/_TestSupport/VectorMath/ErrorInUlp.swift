/// The distance of `value` from the exact `reference` in units in the last place of `T` at the reference.
///
/// Infinity counts as 2^(largest exponent + 1), where the next number would be, so rounding to it is an error like any
/// other; the unit does not shrink below that of denormal numbers. A NaN on one side only is infinitely wrong.
public func errorInUlp<T: BinaryFloatingPoint, R: BinaryFloatingPoint>(_ value: T, _ reference: R) -> Double {
  if value.isNaN || reference.isNaN { return value.isNaN && reference.isNaN ? 0 : .infinity }
  let beyond = R(sign: .plus, exponent: R.Exponent(T.greatestFiniteMagnitude.exponent) + 1, significand: 1)
  let limit = 2 * R(T.greatestFiniteMagnitude.ulp)
  func finite(_ x: R) -> R { x > beyond ? beyond : x < -beyond ? -beyond : x }
  let exact = finite(reference)
  let magnitude = exact.magnitude
  let smallest = R(T.leastNormalMagnitude)
  let exponent = (magnitude < smallest ? smallest : magnitude).exponent - R.Exponent(T.significandBitCount)
  let unit = min(R(sign: .plus, exponent: exponent, significand: 1), limit / 2)
  return Double((finite(R(value)) - exact).magnitude / unit)
}

/// The same, quick enough for all of float32.
public func errorInUlp(_ value: Float, _ reference: Double) -> Double {
  let magnitude = reference.magnitude
  guard magnitude < 0x1p128, value.isFinite else { return errorInUlp(value, Wide(reference)) }
  // The reciprocal of the unit, put together from the reference's exponent, which is at least that of 2^-126.
  let exponent = Swift.max(magnitude.bitPattern >> 52, 1023 - 126)
  return (Double(value) - reference).magnitude * Double(bitPattern: (2046 + 23 - exponent) << 52)
}
