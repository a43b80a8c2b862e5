internal import ApusEngine

/// The tensors of a run, each of which a direction reads, writes or does without. Buffers are valid for the run.
public struct PoolingBuffers<Scalar: GemmScalar> {
  /// Input-shaped: read forward, and backward by a norm and by a maximum without indices; written by unpooling.
  public var x: UnsafeMutableBufferPointer<Scalar>?
  /// Output-shaped: written forward; read backward by a norm, and by unpooling.
  public var y: UnsafeMutableBufferPointer<Scalar>?
  /// Output-shaped gradient: read backward, written by unpooling backward.
  public var dy: UnsafeMutableBufferPointer<Scalar>?
  /// Input-shaped gradient: written backward, read by unpooling backward.
  public var dx: UnsafeMutableBufferPointer<Scalar>?
  /// Output-shaped positions of maxima, in the plan's index type: written forward if given, else read.
  public var indices: UnsafeMutableRawBufferPointer?
  /// Gradients are added to what is there.
  public var accumulates = false
  /// Memory to work in, at least ``Pooling/scratchBytes(context:)``; nil: a buffer that each thread keeps.
  public var scratch: UnsafeMutableRawBufferPointer?

  /// No tensors.
  public init() {}
}

extension Pooling {
  /// Runs the plan over unsafe buffers, in any direction. What is written may overlap nothing that is read.
  ///
  /// - Throws: `invalidArgument` for a buffer that is missing or has fewer elements than the plan takes, for scratch that
  ///   is too small and, unpooling, for an index outside of the plane; `outOfMemory`. Nothing has been written then.
  ///
  /// Allocates nothing, except a thread's buffer at its first use where there is no scratch.
  public func run(_ buffers: PoolingBuffers<Scalar>, context: Context? = nil) throws(ApusError) {
    for (name, count, needed) in [
      ("x", buffers.x?.count, inputCount), ("y", buffers.y?.count, outputCount),
      ("dy", buffers.dy?.count, outputCount), ("dx", buffers.dx?.count, inputCount),
      ("indices", buffers.indices.map { $0.count / plan.descriptor.indexType.size }, outputCount),
    ] {
      if let count, count < needed {
        throw .invalid("\(name) has \(count) elements, but the plan takes \(needed)")
      }
    }
    var arguments = PoolingArguments()
    arguments.x = buffers.x?.baseAddress.map { UnsafeMutableRawPointer($0) }
    arguments.y = buffers.y?.baseAddress.map { UnsafeMutableRawPointer($0) }
    arguments.dy = buffers.dy?.baseAddress.map { UnsafeMutableRawPointer($0) }
    arguments.dx = buffers.dx?.baseAddress.map { UnsafeMutableRawPointer($0) }
    arguments.indices = buffers.indices?.baseAddress
    arguments.accumulates = buffers.accumulates
    arguments.scratch = buffers.scratch?.baseAddress
    arguments.scratchBytes = buffers.scratch?.count ?? 0
    let engine = try Context.resolve(context)
    try translatingErrors { () throws(ApusEngine.ApusError) in try plan.run(context: engine, arguments) }
  }

  private func checkDirection(_ wanted: ApusEngine.PoolingDirection) throws(ApusError) {
    if plan.direction != wanted {
      throw .invalid("direction is \(plan.direction), but this call takes a plan made for \(wanted)")
    }
  }

  private func checkIndices<Index: PoolingIndex>(_: Index.Type) throws(ApusError) {
    let type = plan.descriptor.indexType
    if MemoryLayout<Index>.size != type.size {
      throw .invalid("indices are \(Index.self), but the plan was made for \(type.name)")
    }
  }

  /// A span's memory stays where it is for as long as the span lives, which is the whole call; nothing writes to it.
  private func elements(_ span: Span<Scalar>) -> UnsafeMutableBufferPointer<Scalar> {
    span.withUnsafeBufferPointer { UnsafeMutableBufferPointer(mutating: $0) }
  }

  /// Runs a forward plan: y from x.
  public func run(
    _ x: Span<Scalar>, into y: inout MutableSpan<Scalar>, context: Context? = nil
  ) throws(ApusError) {
    try checkDirection(.forward)
    var buffers = PoolingBuffers<Scalar>()
    buffers.x = elements(x)
    buffers.y = y.withUnsafeMutableBufferPointer { $0 }
    try run(buffers, context: context)
  }

  /// Runs a forward plan into an array.
  public func run(_ x: Span<Scalar>, into y: inout [Scalar], context: Context? = nil) throws(ApusError) {
    var span = y.mutableSpan
    try run(x, into: &span, context: context)
  }

  /// Runs a forward plan of a maximum: y and the indices of the maxima from x.
  public func run<Index: PoolingIndex>(
    _ x: Span<Scalar>, into y: inout MutableSpan<Scalar>, indices: inout MutableSpan<Index>, context: Context? = nil
  ) throws(ApusError) {
    try checkDirection(.forward)
    try checkIndices(Index.self)
    var buffers = PoolingBuffers<Scalar>()
    buffers.x = elements(x)
    buffers.y = y.withUnsafeMutableBufferPointer { $0 }
    buffers.indices = indices.withUnsafeMutableBytes { $0 }
    try run(buffers, context: context)
  }

  /// Runs a forward plan of a maximum into arrays.
  public func run<Index: PoolingIndex>(
    _ x: Span<Scalar>, into y: inout [Scalar], indices: inout [Index], context: Context? = nil
  ) throws(ApusError) {
    var span = y.mutableSpan
    var positions = indices.mutableSpan
    try run(x, into: &span, indices: &positions, context: context)
  }

  /// Runs a backward plan: dx from dy.
  ///
  /// - Parameters:
  ///   - dy: The gradient of the output.
  ///   - x: What the forward pass read: for a norm, and for a maximum where there are no indices.
  ///   - y: What it wrote: for a norm.
  ///   - dx: The gradient of the input.
  ///   - accumulates: Whether it is added to what dx holds.
  ///   - context: Threads and back end; nil: the process's default.
  public func runBackward(
    _ dy: Span<Scalar>, x: Span<Scalar>? = nil, y: Span<Scalar>? = nil, into dx: inout MutableSpan<Scalar>,
    accumulates: Bool = false, context: Context? = nil
  ) throws(ApusError) {
    try checkDirection(.backwardData)
    var buffers = PoolingBuffers<Scalar>()
    buffers.dy = elements(dy)
    if let x { buffers.x = elements(x) }
    if let y { buffers.y = elements(y) }
    buffers.dx = dx.withUnsafeMutableBufferPointer { $0 }
    buffers.accumulates = accumulates
    try run(buffers, context: context)
  }

  /// Runs a backward plan into an array.
  public func runBackward(
    _ dy: Span<Scalar>, x: Span<Scalar>? = nil, y: Span<Scalar>? = nil, into dx: inout [Scalar],
    accumulates: Bool = false, context: Context? = nil
  ) throws(ApusError) {
    var span = dx.mutableSpan
    try runBackward(dy, x: x, y: y, into: &span, accumulates: accumulates, context: context)
  }

  /// Runs a backward plan of a maximum by the indices of the forward pass.
  public func runBackward<Index: PoolingIndex>(
    _ dy: Span<Scalar>, indices: Span<Index>, into dx: inout MutableSpan<Scalar>, accumulates: Bool = false,
    context: Context? = nil
  ) throws(ApusError) {
    try checkDirection(.backwardData)
    try checkIndices(Index.self)
    var buffers = PoolingBuffers<Scalar>()
    buffers.dy = elements(dy)
    buffers.indices = bytes(indices)
    buffers.dx = dx.withUnsafeMutableBufferPointer { $0 }
    buffers.accumulates = accumulates
    try run(buffers, context: context)
  }

  /// Runs a backward plan of a maximum by indices into an array.
  public func runBackward<Index: PoolingIndex>(
    _ dy: Span<Scalar>, indices: Span<Index>, into dx: inout [Scalar], accumulates: Bool = false,
    context: Context? = nil
  ) throws(ApusError) {
    var span = dx.mutableSpan
    try runBackward(dy, indices: indices, into: &span, accumulates: accumulates, context: context)
  }

  /// Runs an unpooling plan: x from y and indices, zero where none points to. Of several elements with one index the last
  /// one counts.
  public func unpool<Index: PoolingIndex>(
    _ y: Span<Scalar>, indices: Span<Index>, into x: inout [Scalar], context: Context? = nil
  ) throws(ApusError) {
    try checkDirection(.unpool)
    try checkIndices(Index.self)
    var buffers = PoolingBuffers<Scalar>()
    buffers.y = elements(y)
    buffers.indices = bytes(indices)
    var span = x.mutableSpan
    buffers.x = span.withUnsafeMutableBufferPointer { $0 }
    try run(buffers, context: context)
  }

  /// Runs the backward of an unpooling: dy from dx at the indices.
  public func unpoolBackward<Index: PoolingIndex>(
    _ dx: Span<Scalar>, indices: Span<Index>, into dy: inout [Scalar], accumulates: Bool = false,
    context: Context? = nil
  ) throws(ApusError) {
    try checkDirection(.unpoolBackward)
    try checkIndices(Index.self)
    var buffers = PoolingBuffers<Scalar>()
    buffers.dx = elements(dx)
    buffers.indices = bytes(indices)
    buffers.accumulates = accumulates
    var span = dy.mutableSpan
    buffers.dy = span.withUnsafeMutableBufferPointer { $0 }
    try run(buffers, context: context)
  }

  private func bytes<Index: PoolingIndex>(_ indices: Span<Index>) -> UnsafeMutableRawBufferPointer {
    indices.withUnsafeBytes { UnsafeMutableRawBufferPointer(mutating: $0) }
  }
}
