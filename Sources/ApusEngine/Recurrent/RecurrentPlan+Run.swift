import ApusKernelInterface
import ApusShims

extension RecurrentPlan {
  /// Runs the layers forward: x, h0 and c0 to y, hn and cn; in training mode also fills the workspace.
  ///
  /// Allocates nothing but a thread's buffer at its first use, and that only without scratch. Throws `.invalidArgument` for
  /// nil where data are needed, a length outside of 0 to T, or buffers that are too small, `.mismatch` for weights packed
  /// for another plan, `.outOfMemory` where the system refuses a buffer; nothing is written then.
  public func forward(context: ExecutionContext, _ arguments: RecurrentArguments) throws(ApusError) {
    let start = !apus_verbose_is_off() && Verbose.isOn ? ContinuousClock.now : nil
    let a = arguments
    try check(a)
    if mode == .training { try checkWorkspace(a) }
    let areas = RecurrentForwardAreas(self, context, packs: a.packed == nil)
    try withScratch(a, areas.bytes, RecurrentForwardAreas(self, context, packs: true).bytes) {
      scratch throws(ApusError) in
      if descriptor.batch == 0 { return }
      let body = try body(a, scratch + areas.packed, context)
      try RecurrentForwardRun(self, context, a, body, scratch, areas).run()
    }
    if mode == .training, let workspace = a.workspace {
      workspace.alignedUp(toMultipleOf: Memory.alignment).storeBytes(
        of: workspaceHeader, as: RecurrentWorkspaceHeader.self)
    }
    if let start { Verbose.emit(record("run", context, Verbose.microseconds(since: start))) }
  }

  /// Runs the layers backward: gradients by y, hn and cn to those by x, h0, c0 and the weights. Takes x, the lengths, the
  /// weights and the workspace of a forward run, which it leaves as they are.
  ///
  /// Allocates and throws as `forward`; `.unsupported` for a plan made for inference, `.mismatch` for a workspace that no
  /// forward run of such a plan filled.
  public func backward(context: ExecutionContext, _ arguments: RecurrentArguments) throws(ApusError) {
    let start = !apus_verbose_is_off() && Verbose.isOn ? ContinuousClock.now : nil
    let a = arguments
    if mode != .training {
      throw ApusError(.unsupported, "the plan was made for inference: backward needs one made for training")
    }
    try check(a)
    try checkWorkspace(a)
    if let workspace = a.workspace {
      let found = workspace.alignedUp(toMultipleOf: Memory.alignment).load(as: RecurrentWorkspaceHeader.self)
      if found != workspaceHeader {
        throw ApusError(.mismatch, "workspace was not filled by a forward run of this plan")
      }
    }
    let areas = RecurrentBackwardAreas(self, context, packs: a.packed == nil)
    try withScratch(a, areas.bytes, RecurrentBackwardAreas(self, context, packs: true).bytes) {
      scratch throws(ApusError) in
      if descriptor.batch == 0 {
        if let dw = a.dParameters, !a.accumulate {
          dw.initializeMemory(as: UInt8.self, repeating: 0, count: parameterCount * size)
        }
        return
      }
      let body = try body(a, scratch + areas.packed, context)
      try RecurrentBackwardRun(self, context, a, body, scratch, areas).run()
    }
    if let start { Verbose.emit(record("backward", context, Verbose.microseconds(since: start))) }
  }

  /// Bytes of scratch that a run with this context takes, forward or backward.
  public func scratchBytes(context: ExecutionContext) -> Int {
    let forward = RecurrentForwardAreas(self, context, packs: true).bytes
    let backward = mode == .training ? RecurrentBackwardAreas(self, context, packs: true).bytes : 0
    return Memory.alignment + max(forward, backward)
  }

  private func withScratch(
    _ a: RecurrentArguments, _ needed: Int, _ most: @autoclosure () -> Int,
    _ body: (UnsafeMutableRawPointer) throws(ApusError) -> Void
  ) throws(ApusError) {
    if let scratch = a.scratch {
      let wanted = Memory.alignment + most()
      if a.scratchBytes < wanted { throw .invalid("scratch_bytes", a.scratchBytes, "this run takes \(wanted)") }
      return try body(scratch.alignedUp(toMultipleOf: Memory.alignment))
    }
    guard let buffer = apus_buffer_take(needed) else {
      throw ApusError(.outOfMemory, "the system refused a buffer of \(needed) bytes")
    }
    defer { apus_buffer_give_back() }
    try body(buffer)
  }

  /// Packed weights, the caller's or made now.
  private func body(
    _ a: RecurrentArguments, _ room: UnsafeMutableRawPointer, _ context: ExecutionContext
  ) throws(ApusError) -> UnsafeRawPointer {
    if let packed = a.packed { return try packedBody(packed) }
    if let weights = a.parameters { try pack(weights, body: room, context) }
    return UnsafeRawPointer(room)
  }

  private func check(_ a: RecurrentArguments) throws(ApusError) {
    let d = descriptor
    if a.packed == nil && a.parameters == nil {
      throw .invalid("parameters", "NULL", "without packed it must hold \(parameterCount) elements")
    }
    if let packed = a.packed { _ = try packedBody(packed) }
    if d.batch == 0 { return }
    if a.x == nil { throw .invalid("x", "NULL", "it has \(d.steps) x \(d.batch) x \(d.input) elements") }
    if let lengths = a.lengths {
      for i in 0..<d.batch where lengths[i] < 0 || lengths[i] > d.steps {
        throw .invalid("lengths[\(i)]", lengths[i], "it must be 0 to \(d.steps), the steps of the plan")
      }
    }
    if d.cell != .lstm {
      for (name, isGiven) in [
        ("c0", a.c0 != nil), ("cn", a.cn != nil), ("dcn", a.dcn != nil), ("dc0", a.dc0 != nil),
      ] where isGiven {
        throw .invalid(name, "not NULL", "only an LSTM has it, and the cell is \(d.cell.name)")
      }
    }
  }

  private func checkWorkspace(_ a: RecurrentArguments) throws(ApusError) {
    if a.workspace == nil { throw .invalid("workspace", "NULL", "it must have \(workspaceBytes) bytes") }
    if a.workspaceBytes < workspaceBytes {
      throw .invalid("workspace_bytes", a.workspaceBytes, "the plan takes \(workspaceBytes)")
    }
  }

  private var workspaceHeader: RecurrentWorkspaceHeader {
    RecurrentWorkspaceHeader(packed: header, steps: descriptor.steps, batch: descriptor.batch)
  }

  /// Bytes of scratch that the plan's large products take.
  func productScratch(_ context: ExecutionContext, backward: Bool) -> Int {
    var bytes = 0
    for layer in 0..<min(2, descriptor.layers) {
      if backward {
        if let gradients = gradientProducts(layer: layer) {
          bytes = max(bytes, gradients.data.scratchBytes(context: context))
          bytes = max(bytes, gradients.weights.scratchBytes(context: context))
        }
      } else {
        let products = inputProducts(layer: layer)
        bytes = max(bytes, products.whole.scratchBytes(context: context))
        bytes = max(bytes, products.rest?.scratchBytes(context: context) ?? 0)
      }
    }
    if backward, let states = stateProducts {
      for part in states.parts { bytes = max(bytes, part.plan.scratchBytes(context: context)) }
      bytes = max(bytes, states.projection?.scratchBytes(context: context) ?? 0)
      bytes = max(bytes, states.bias?.scratchBytes(context: context) ?? 0)
    }
    return bytes
  }
}

/// What stands at the beginning of a workspace: whose it is.
struct RecurrentWorkspaceHeader: Equatable {
  /// Of packed weights for the plan, with its cell and sizes; 64 bytes are the whole header, so the rest is folded in.
  var magic: UInt64
  var cell: Int32
  var dataType: Int32
  var instructionSet: Int32
  var directions: Int32
  var layers: Int32
  var input: Int32
  var hidden: Int32
  var projection: Int32
  var steps: Int32
  var batch: Int32
  var flags: Int32
  var biases: Int32

  init(packed: RecurrentPackedHeader, steps: Int, batch: Int) {
    magic = 0x3157_4b57_5355_5041  // "APUSWKW1"
    cell = packed.cell
    dataType = packed.dataType
    instructionSet = packed.instructionSet
    directions = packed.directions
    layers = packed.layers
    input = packed.input
    hidden = packed.hidden
    projection = packed.projection
    self.steps = Int32(steps)
    self.batch = Int32(batch)
    flags = packed.flags
    biases = packed.biases
  }
}

/// Runs a large product with scratch of the run's.
func runProduct(
  _ plan: GemmPlan, _ context: ExecutionContext, a: UnsafeRawPointer, b: UnsafeRawPointer,
  c: UnsafeMutableRawPointer, adds: Bool = false, scratch: UnsafeMutableRawPointer
) throws(ApusError) {
  var arguments = GemmArguments()
  arguments.a = a
  arguments.b = b
  arguments.c = c
  arguments.beta = adds ? 1 : 0
  arguments.scratch = scratch
  arguments.scratchBytes = plan.scratchBytes(context: context)
  try plan.run(context: context, arguments, threads: plan.usefulThreads(context))
}
