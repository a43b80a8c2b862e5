/// Modules one after the other.
///
///     let model = Sequential {
///       Linear(784, 100)
///       ReLU()
///       Linear(100, 10)
///     }
///
/// Names are numbers from 0 on, as in PyTorch: "0.weight".
public final class Sequential: Module {
  /// The modules in their order.
  public let layers: [any Module]

  /// Modules of an array.
  public init(_ layers: [any Module]) { self.layers = layers }

  /// Modules of a block, which may have `if` and `for`.
  public convenience init(@SequentialBuilder _ layers: () -> [any Module]) { self.init(layers()) }

  /// The last module's result.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    var y = x
    for layer in layers { y = layer(y) }
    return y
  }

  /// The modules by their numbers.
  public var members: [(name: String, value: Any)] { layers.enumerated().map { ("\($0)", $1) } }
}

/// The blocks of ``Sequential``.
@resultBuilder public enum SequentialBuilder {
  /// A module.
  public static func buildExpression(_ layer: any Module) -> [any Module] { [layer] }
  /// Modules.
  public static func buildExpression(_ layers: [any Module]) -> [any Module] { layers }
  /// One after the other.
  public static func buildBlock(_ parts: [any Module]...) -> [any Module] { parts.flatMap { $0 } }
  /// `if` without `else`.
  public static func buildOptional(_ part: [any Module]?) -> [any Module] { part ?? [] }
  /// `if`.
  public static func buildEither(first part: [any Module]) -> [any Module] { part }
  /// `else`.
  public static func buildEither(second part: [any Module]) -> [any Module] { part }
  /// `for`.
  public static func buildArray(_ parts: [[any Module]]) -> [any Module] { parts.flatMap { $0 } }
}
