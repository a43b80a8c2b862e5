/// A layer or a model: a class with a function from tensor to tensor, and parameters that are found by reflection.
///
///     final class Net: Module {
///       let hidden = Linear(784, 100)
///       let output = Linear(100, 10)
///       func callAsFunction(_ x: Tensor) -> Tensor { output(hidden(x).relu()) }
///     }
///
/// Stored properties that are ``Parameter``s, ``Buffer``s, modules, or arrays or optionals of them, belong to it under their
/// names: the weights above are "hidden.weight" and "output.weight".
public protocol Module: AnyObject {
  /// The result for a batch.
  func callAsFunction(_ x: Tensor) -> Tensor

  /// What belongs to it, by name; the default finds the stored properties by reflection.
  var members: [(name: String, value: Any)] { get }
}

/// A layer that does another thing in training than in evaluation.
public protocol ModeDependent: Module {
  /// Whether it is in training.
  var isTraining: Bool { get set }
}

extension Module {
  /// The stored properties, those of superclasses first.
  public var members: [(name: String, value: Any)] {
    var mirrors = [Mirror(reflecting: self)]
    while let parent = mirrors.last?.superclassMirror { mirrors.append(parent) }
    return mirrors.reversed().flatMap(\.children).compactMap { child in child.label.map { ($0, child.value) } }
  }

  /// Calls `visit` with everything that belongs to this module and those in it, by its full name.
  func forEachMember(_ prefix: String = "", _ visit: (_ name: String, _ value: Any) -> Void) {
    for (name, value) in members { Self.descend(prefix + name, value, visit) }
  }

  private static func descend(_ name: String, _ value: Any, _ visit: (String, Any) -> Void) {
    switch value {
    case let module as any Module:
      visit(name, module)
      module.forEachMember(name + ".", visit)
    case is Parameter, is Buffer: visit(name, value)
    default:
      let mirror = Mirror(reflecting: value)
      switch mirror.displayStyle {
      case .optional: for child in mirror.children { descend(name, child.value, visit) }
      case .collection, .tuple:
        for (i, child) in mirror.children.enumerated() { descend("\(name).\(i)", child.value, visit) }
      default: return
      }
    }
  }

  /// Every parameter with its name, in the order of the properties; one that is used twice comes once.
  public var namedParameters: [(name: String, parameter: Parameter)] {
    var seen: Set<ObjectIdentifier> = []
    var found: [(String, Parameter)] = []
    forEachMember { name, value in
      if let parameter = value as? Parameter, seen.insert(ObjectIdentifier(parameter)).inserted {
        found.append((name, parameter))
      }
    }
    return found
  }

  /// Every parameter, in the order of the properties.
  public var parameters: [Parameter] { namedParameters.map(\.parameter) }

  /// Every parameter that is not frozen.
  public var trainableParameters: [Parameter] { parameters.filter(\.isTrainable) }

  /// The number of elements of all parameters.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

  /// Every buffer with its name.
  public var namedBuffers: [(name: String, buffer: Buffer)] {
    var seen: Set<ObjectIdentifier> = []
    var found: [(String, Buffer)] = []
    forEachMember { name, value in
      if let buffer = value as? Buffer, seen.insert(ObjectIdentifier(buffer)).inserted { found.append((name, buffer)) }
    }
    return found
  }

  /// Puts this module and all in it into training or, with `false`, evaluation.
  @discardableResult public func train(_ isTraining: Bool = true) -> Self {
    (self as? any ModeDependent)?.isTraining = isTraining
    forEachMember { _, value in (value as? any ModeDependent)?.isTraining = isTraining }
    return self
  }

  /// Puts this module and all in it into evaluation: no dropout, running statistics.
  @discardableResult public func evaluate() -> Self { train(false) }

  /// Runs `body` with this module in evaluation; after it every layer has the mode that it had.
  public func evaluating<Result>(_ body: () throws -> Result) rethrows -> Result {
    var modes: [(layer: any ModeDependent, isTraining: Bool)] = []
    if let own = self as? any ModeDependent { modes.append((own, own.isTraining)) }
    forEachMember { _, value in
      if let layer = value as? any ModeDependent { modes.append((layer, layer.isTraining)) }
    }
    evaluate()
    defer { for (layer, isTraining) in modes { layer.isTraining = isTraining } }
    return try body()
  }

  /// Makes all parameters constants, or with `false` trainable again.
  @discardableResult public func freeze(_ isFrozen: Bool = true) -> Self {
    for parameter in parameters { parameter.isTrainable = !isFrozen }
    return self
  }
}
