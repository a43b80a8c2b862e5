/// What is kept of the samples of a row.
public enum Statistics {
  /// The middle value, or the mean of the two in the middle; NaN for none.
  public static func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The smallest value; NaN for none.
  public static func minimum(_ values: [Double]) -> Double { values.min() ?? .nan }
}
