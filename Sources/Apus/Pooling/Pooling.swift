internal import ApusEngine

/// A planned pooling of dense tensors: `batch * channels` planes of 1 to 3 dimensions, each pooled alone.
///
/// A plan is made once and run many times. Making it checks every argument and chooses the algorithm. It is immutable: any
/// number of threads may run it at once. Within an instruction set a result has the same bits for any number of threads
/// and any back end, and a sample the same bits whatever batch is around it.
///
///     let pool = try Pooling<Float>(
///       .max, batch: 8, channels: 64, input: [112, 112],
///       windows: .sliding([3, 3], stride: [2, 2], padding: .symmetric([1, 1])), layout: .channelsLast)
///     var y = [Float](repeating: 0, count: pool.outputCount)
///     try pool.run(x.span, into: &y)
public struct Pooling<Scalar: GemmScalar>: Sendable {
  let plan: PoolingPlan

  /// Plans a pooling.
  ///
  /// - Parameters:
  ///   - kind: What a window's elements become.
  ///   - direction: What runs compute.
  ///   - batch: Samples; 0 leaves nothing to do.
  ///   - channels: Planes of a sample.
  ///   - input: The size of a plane of x: length, or height and width, or depth, height and width.
  ///   - windows: Where windows lie.
  ///   - layout: The layout of all tensors.
  ///   - indices: The type of a maximum's indices.
  ///   - context: Decides the instruction set; nil: the process's default.
  /// - Throws: `invalidArgument` for arrays of different lengths and for whatever leaves a window without an element of
  ///   the input, a negative or overflowing size, a dilation of another kind than `max`, a stride that does not divide
  ///   where rounding is strict, unpooling of another kind than `max`; `unsupported` for more positions than indices or
  ///   tables reach (2^26 along a dimension); `outOfMemory`.
  ///
  /// Allocates the plan and its tables: 8 bytes for each position of input and output along each dimension and, where an
  /// average's divisor is not the same everywhere, one plane of the output.
  public init(
    _ kind: PoolingKind, direction: PoolingDirection = .forward, batch: Int, channels: Int, input: [Int],
    windows: PoolingWindows, layout: TensorLayout = .channelsFirst, indices: any PoolingIndex.Type = Int32.self,
    context: Context? = nil
  ) throws(ApusError) {
    let window = try SpatialWindow(windows, input: input)
    var descriptor = PoolingDescriptor(
      dataType: Scalar.dataType.engine, kind: .maximum, batch: batch, channels: channels, window: window)
    switch kind {
    case .max: descriptor.kind = .maximum
    case .average: descriptor.kind = .average
    case .averageIncludingPadding: descriptor.kind = .averageIncludingPadding
    case .norm(let p):
      descriptor.kind = .norm
      descriptor.norm = p
    }
    descriptor.layout = layout.engine
    descriptor.indexType = indices == Int64.self ? .int64 : .int32
    if case .adaptive(let output) = windows {
      if output.count != input.count {
        throw .invalid("output has \(output.count) numbers, but input has \(input.count)")
      }
      var size = Extents(repeating: 1)
      for (i, number) in output.enumerated() { size[3 - output.count + i] = number }
      descriptor.adaptiveOutput = size
    }
    let engine = try Context.resolve(context)
    plan = try translatingErrors { () throws(ApusEngine.ApusError) in
      try PoolingPlan(descriptor, direction: direction.engine, context: engine)
    }
  }

  /// The size of a plane of y.
  public var output: [Int] { plan.descriptor.window.dimensions.map { plan.output[$0] } }
  /// Elements of x and dx.
  public var inputCount: Int { plan.inputCount }
  /// Elements of y, dy and the indices.
  public var outputCount: Int { plan.outputCount }
  /// The instruction set of the plan: that of the context which it was made with.
  public var instructionSet: InstructionSet { InstructionSet(plan.instructionSet) }
  /// Operations of one run: one for each element of each window.
  public var flops: Double { plan.flops }
  /// Bytes that one run reads and writes at least.
  public var bytes: Double { plan.bytes }

  /// Bytes of scratch that a run with this context takes, if it is to use the caller's.
  public func scratchBytes(context: Context? = nil) throws(ApusError) -> Int {
    plan.scratchBytes(context: try Context.resolve(context))
  }

  /// Threads that a run with this context uses at most.
  public func threads(context: Context? = nil) throws(ApusError) -> Int {
    plan.threadsUsed(context: try Context.resolve(context))
  }
}

extension Pooling: CustomStringConvertible {
  /// Geometry, algorithm and instruction set, for people.
  public var description: String { plan.description }
}
