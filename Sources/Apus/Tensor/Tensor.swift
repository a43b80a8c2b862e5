internal import ApusEngine

/// An array of numbers of up to 8 dimensions.
///
///     let x: Tensor = [[1, 2], [3, 4]]
///     print(matmul(x, x.transposed()) + 1)
///
/// A tensor is a value: a copy costs nothing until one of the two is written to (copy on write). Its elements' type is
/// ``dtype``, its sizes ``shape``; ``reshaped(_:)``, ``transposed()`` and subscripts with ranges are views of the same
/// memory where that is possible. A tensor may be read from many threads at once.
///
/// Floating-point tensors remember how they were computed where a gradient may be asked for: see ``gradients(of:by:keepsTape:)-(_,[Tensor],_)``.
///
/// What breaks a rule of shapes or types stops the program with a message that names the operation and the shapes.
public struct Tensor: Sendable {
  var storage: TensorStorage
  /// The size of each dimension; empty for a scalar.
  public internal(set) var shape: [Int]
  /// Elements between neighbours along each dimension.
  var strides: [Int]
  /// Elements before the first one.
  var offset: Int
  /// The type of the elements.
  public let dtype: DataType
  /// Where this stands on the tape; nil where no gradient can reach it.
  var source: TapeSource?

  /// Memory for a dense tensor, which holds anything.
  init(uninitialized shape: [Int], _ dtype: DataType) {
    self.shape = shape
    self.dtype = dtype
    var stride = 1
    strides = shape
    for i in shape.indices.reversed() {
      strides[i] = stride
      let (product, overflow) = stride.multipliedReportingOverflow(by: Swift.max(1, shape[i]))
      require(
        shape[i] >= 0 && !overflow, "a tensor's sizes must be at least 0 and fit 63 bits, but its shape is \(shape)")
      stride = product
    }
    require(shape.count <= 8, "a tensor has up to 8 dimensions, but its shape is \(shape)")
    let (bytes, overflow) = stride.multipliedReportingOverflow(by: dtype.size)
    require(!overflow && bytes < 1 << 60, "the bytes of a tensor must fit 60 bits, but its shape is \(shape)")
    offset = 0
    storage = TensorStorage(bytes: shape.contains(0) ? 0 : bytes)
  }

  /// A view of the same memory, off the tape.
  func view(shape: [Int], strides: [Int], offset: Int) -> Tensor {
    var view = self
    view.shape = shape
    view.strides = strides
    view.offset = offset
    view.source = nil
    return view
  }

  /// The number of dimensions.
  public var rank: Int { shape.count }

  /// The number of elements.
  public var count: Int {
    var count = 1
    for size in shape { count *= size }
    return count
  }

  /// Whether the elements lie one after the other in the order of their indices.
  public var isContiguous: Bool {
    var expected = 1
    for i in shape.indices.reversed() where shape[i] != 1 {
      if strides[i] != expected { return false }
      expected *= shape[i]
    }
    return true
  }

  /// The elements one after the other in memory: itself where they are, else a copy.
  public func contiguous() -> Tensor {
    if isContiguous || count == 0 { return self }
    let copy = Tensor(uninitialized: shape, dtype)
    copyElements(of: self, to: copy)
    return copy.recorded("contiguous", self) { dy in [dy] }
  }

  /// The first element. Valid for as long as this tensor is.
  var base: UnsafeRawPointer { UnsafeRawPointer(storage.memory + offset * dtype.size) }

  /// The first element of a tensor that nobody else has yet.
  var result: UnsafeMutableRawPointer { storage.memory + offset * dtype.size }

  /// As the engine describes it.
  var strided: StridedTensor {
    var tensor = StridedTensor(dtype.engine)
    for i in shape.indices {
      do throws(ApusEngine.ApusError) {
        try tensor.append(size: shape[i], stride: strides[i], name: "tensor")
      } catch { fatalError("a tensor of shape \(shape): \(error.message)") }
    }
    return tensor
  }

  /// Makes the memory this tensor's own, and dense, so that it can be written to.
  mutating func makeUnique() {
    if isKnownUniquelyReferenced(&storage) && isContiguous { return }
    let copy = Tensor(uninitialized: shape, dtype)
    copyElements(of: self, to: copy)
    self = copy
  }
}

/// Stops the program where a rule is broken; unlike `precondition` it says which in optimised builds too.
@inline(__always)
func require(
  _ condition: Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
  if !condition { fatalError(message(), file: file, line: line) }
}

/// Runs a kernel on tensors' memory, which stays for as long; an error stops the program, because shapes were checked.
@inline(__always)
func compute(
  _ operation: StaticString, _ a: Tensor, _ b: Tensor? = nil, _ c: Tensor? = nil, _ d: Tensor? = nil,
  _ e: Tensor? = nil,
  _ body: (ExecutionContext) throws(ApusEngine.ApusError) -> Void
) {
  do throws(ApusEngine.ApusError) {
    try body(try ExecutionContext.processDefault())
  } catch {
    let shapes = [a, b, c, d, e].compactMap { $0.map { "\($0.dtype) \($0.shape)" } }.joined(separator: ", ")
    fatalError("\(operation) of \(shapes): \(error.message)")
  }
  withExtendedLifetime((a, b, c, d, e)) {}
}
