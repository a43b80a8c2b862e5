/// Types of data that can be measured.
public enum ElementType: String, CaseIterable, Sendable {
  case float32 = "f32"
  case float64 = "f64"

  /// Bytes of an element.
  public var size: Int { self == .float32 ? 4 : 8 }
  /// Distance from 1 to the next number.
  public var epsilon: Double { self == .float32 ? Double(Float.ulpOfOne) : Double.ulpOfOne }
}
