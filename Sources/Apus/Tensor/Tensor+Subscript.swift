/// What a subscript takes of a dimension: an `Int` takes one element and removes the dimension, a range takes some, `.all`
/// every one. Conform no other type.
public protocol TensorIndex {
  /// The index as one of three kinds.
  var selection: TensorSelection { get }
}

/// What an index takes of a dimension.
public enum TensorSelection: Sendable, Hashable {
  /// One element; the dimension is gone.
  case element(Int)
  /// Some.
  case range(Range<Int>)
  /// Every one.
  case every
}

extension Int: TensorIndex {
  /// One element.
  public var selection: TensorSelection { .element(self) }
}
extension Range<Int>: TensorIndex {
  /// Some.
  public var selection: TensorSelection { .range(self) }
}
extension ClosedRange<Int>: TensorIndex {
  /// Some.
  public var selection: TensorSelection { .range(lowerBound..<upperBound + 1) }
}
extension TensorSelection: TensorIndex {
  /// Itself.
  public var selection: TensorSelection { self }
}
extension TensorIndex where Self == TensorSelection {
  /// Every element of a dimension.
  public static var all: TensorSelection { .every }
}

/// Subscripts are views of the same memory; what is assigned to one is written, in place where this tensor alone holds its
/// memory. Elements of a tensor on the tape are not written: `select` and `concatenate` make new ones.
extension Tensor {
  /// Elements of the first dimension.
  public subscript<A: TensorIndex>(_ a: A) -> Tensor {
    get { indexed([a.selection]) }
    set { assign(newValue, to: [a.selection]) }
  }

  /// Elements of the first two dimensions.
  ///
  ///     x[1, .all]
  public subscript<A: TensorIndex, B: TensorIndex>(_ a: A, _ b: B) -> Tensor {
    get { indexed([a.selection, b.selection]) }
    set { assign(newValue, to: [a.selection, b.selection]) }
  }

  /// Elements of the first three dimensions.
  public subscript<A: TensorIndex, B: TensorIndex, C: TensorIndex>(_ a: A, _ b: B, _ c: C) -> Tensor {
    get { indexed([a.selection, b.selection, c.selection]) }
    set { assign(newValue, to: [a.selection, b.selection, c.selection]) }
  }

  /// Elements of the first four dimensions.
  public subscript<A: TensorIndex, B: TensorIndex, C: TensorIndex, D: TensorIndex>(
    _ a: A, _ b: B, _ c: C, _ d: D
  ) -> Tensor {
    get { indexed([a.selection, b.selection, c.selection, d.selection]) }
    set { assign(newValue, to: [a.selection, b.selection, c.selection, d.selection]) }
  }

  /// Elements of as many dimensions as there are selections.
  public func indexed(_ selections: [TensorSelection]) -> Tensor {
    require(
      selections.count <= rank,
      "subscript: the shape \(shape) has \(rank) dimensions, but there are \(selections.count) indices")
    var result = self
    var axis = 0
    for selection in selections {
      switch selection {
      case .every: axis += 1
      case .range(let range):
        result = result.sliced(range, along: axis)
        axis += 1
      case .element(let place):
        require(
          place >= 0 && place < result.shape[axis],
          "subscript: a dimension of \(shape) has \(result.shape[axis]) elements, but the index is \(place)")
        result = result.sliced(place..<place + 1, along: axis).squeezed(at: axis)
      }
    }
    return result
  }

  private mutating func assign(_ value: Tensor, to selections: [TensorSelection]) {
    require(
      value.source == nil && source == nil,
      "subscript: elements of a tensor on the tape are not written; use select, concatenate or detached()")
    makeUnique()
    let target = indexed(selections)
    require(
      value.dtype == dtype && broadcastShape("subscript", value.shape, target.shape) == target.shape,
      "subscript: \(value.dtype) \(value.shape) does not fit elements of \(dtype) \(target.shape)")
    copyElements(of: value.broadcast(to: target.shape), to: target)
  }
}
