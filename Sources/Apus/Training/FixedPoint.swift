/// A number with so many digits behind the point, as tables have it.
func fixedPoint(_ value: Double, _ digits: Int) -> String {
  if !value.isFinite { return "\(value)" }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let scaled = (abs(value) * scale).rounded()
  // Beyond what an integer holds there are no digits behind the point.
  if scaled >= 1e18 { return "\(value)" }
  let sign = value < 0 && scaled > 0 ? "-" : ""
  let text = "\(Int(scaled))"
  if digits == 0 { return sign + text }
  let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
  return "\(sign)\(padded.dropLast(digits)).\(padded.suffix(digits))"
}

/// Seconds as minutes:seconds, with hours where there are some.
func clockTime(_ seconds: Double) -> String {
  let all = seconds.isFinite ? Int(min(1e9, max(0, seconds)).rounded(.up)) : 0
  func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
  let (hours, minutes) = (all / 3600, all / 60 % 60)
  return hours > 0 ? "\(hours):\(two(minutes)):\(two(all % 60))" : "\(minutes):\(two(all % 60))"
}
