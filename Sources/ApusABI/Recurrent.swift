// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import CApus

// MARK: Descriptors

/// The engine's descriptor of the caller's; the rules of its numbers are checked by the plan.
private func descriptor(_ pointer: UnsafePointer<apus_rnn_desc>?) throws(ApusError) -> RecurrentDescriptor {
  let desc = try require(pointer, "desc") { $0.struct_size }.pointee
  var result = RecurrentDescriptor(
    dataType: try require(desc.dtype, "dtype", DataType.self), cell: try require(desc.cell, "cell", RecurrentCell.self),
    steps: Int(desc.steps), batch: Int(desc.batch), input: Int(desc.input), hidden: Int(desc.hidden))
  result.direction = try require(desc.direction, "direction", RecurrentDirection.self)
  result.biases = Int(desc.biases)
  result.layers = Int(desc.layers)
  result.projection = Int(desc.projection)
  result.cellClip = desc.cell_clip
  let known = APUS_RNN_PEEPHOLES | APUS_RNN_BATCH_MAJOR
  if desc.flags & ~Int32(known) != 0 {
    throw .invalid("flags", desc.flags, "it must be a combination of PEEPHOLES and BATCH_MAJOR, at most \(known)")
  }
  if desc.reserved != 0 { throw .invalid("reserved", desc.reserved, "it must be 0") }
  result.hasPeepholes = desc.flags & Int32(APUS_RNN_PEEPHOLES) != 0
  result.isBatchMajor = desc.flags & Int32(APUS_RNN_BATCH_MAJOR) != 0
  return result
}

@c(apus_rnn_desc_init) @implementation
public func apus_rnn_desc_init(
  _ desc: UnsafeMutablePointer<apus_rnn_desc>?, _ dtype: Int32, _ cell: Int32, _ steps: Int64, _ batch: Int64,
  _ input: Int64, _ hidden: Int64
) -> apus_status {
  status { () throws(ApusError) in
    guard let desc else { throw .invalid("desc", "NULL", "it must point to a struct") }
    var result = apus_rnn_desc()
    result.struct_size = MemoryLayout<apus_rnn_desc>.size
    result.dtype = dtype
    result.cell = cell
    result.biases = 2
    result.layers = 1
    result.steps = steps
    result.batch = batch
    result.input = input
    result.hidden = hidden
    desc.pointee = result
  }
}

@c(apus_rnn_parameter_count) @implementation
public func apus_rnn_parameter_count(
  _ desc: UnsafePointer<apus_rnn_desc>?, _ count: UnsafeMutablePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    let elements = try descriptor(desc).parameterCount()
    guard let count else { throw .invalid("count", "NULL", "it must point to a number") }
    count.pointee = Int64(elements)
  }
}

@c(apus_rnn_parameter) @implementation
public func apus_rnn_parameter(
  _ desc: UnsafePointer<apus_rnn_desc>?, _ layer: Int64, _ direction: Int32, _ parameter: Int32,
  _ offset: UnsafeMutablePointer<Int64>?, _ rows: UnsafeMutablePointer<Int64>?,
  _ columns: UnsafeMutablePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    let descriptor = try descriptor(desc)
    _ = try descriptor.parameterCount()
    try descriptor.checkRecurrence(layer: Int(layer), direction: Int(direction))
    let place = descriptor.parameter(
      try require(parameter, "parameter", RecurrentParameter.self), layer: Int(layer), direction: Int(direction))
    offset?.pointee = Int64(place?.offset ?? 0)
    rows?.pointee = Int64(place?.rows ?? 0)
    columns?.pointee = Int64(place?.columns ?? 0)
  }
}

// MARK: Other formats

@c(apus_rnn_weights_init) @implementation
public func apus_rnn_weights_init(
  _ weights: UnsafeMutablePointer<apus_rnn_weights>?, _ format: Int32
) -> apus_status {
  status { () throws(ApusError) in
    guard let weights else { throw .invalid("weights", "NULL", "it must point to a struct") }
    weights.pointee = apus_rnn_weights()
    weights.pointee.struct_size = MemoryLayout<apus_rnn_weights>.size
    weights.pointee.format = format
  }
}

private func foreign(_ pointer: UnsafePointer<apus_rnn_weights>?) throws(ApusError) -> RecurrentForeignWeights {
  let given = try require(pointer, "weights") { $0.struct_size }.pointee
  if given.reserved != 0 { throw .invalid("reserved", given.reserved, "it must be 0") }
  var result = RecurrentForeignWeights(format: try require(given.format, "format", RecurrentFormat.self))
  result.input = given.input
  result.recurrent = given.recurrent
  result.bias = given.bias
  result.projection = given.projection
  result.peephole = given.peephole
  return result
}

@c(apus_rnn_import_weights) @implementation
public func apus_rnn_import_weights(
  _ desc: UnsafePointer<apus_rnn_desc>?, _ layer: Int64, _ direction: Int32,
  _ weights: UnsafePointer<apus_rnn_weights>?, _ parameters: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try descriptor(desc).importWeights(
      foreign(weights), layer: Int(layer), direction: Int(direction), into: parameters)
  }
}

@c(apus_rnn_export_weights) @implementation
public func apus_rnn_export_weights(
  _ desc: UnsafePointer<apus_rnn_desc>?, _ layer: Int64, _ direction: Int32, _ parameters: UnsafeRawPointer?,
  _ weights: UnsafePointer<apus_rnn_weights>?
) -> apus_status {
  status { () throws(ApusError) in
    try descriptor(desc).exportWeights(
      parameters, layer: Int(layer), direction: Int(direction), into: foreign(weights))
  }
}

// MARK: Plans

extension RecurrentPlan {
  fileprivate static func from(_ handle: OpaquePointer?) throws(ApusError) -> RecurrentPlan {
    guard let handle else { throw .invalid("plan", "NULL", "it must be a plan that apus_rnn_plan_create made") }
    return Unmanaged<RecurrentPlan>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }
}

@c(apus_rnn_plan_create) @implementation
public func apus_rnn_plan_create(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_rnn_desc>?, _ mode: Int32,
  _ plan: UnsafeMutablePointer<OpaquePointer?>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let plan else { throw .invalid("plan", "NULL", "it must point to where the handle goes") }
    plan.pointee = handle(
      try RecurrentPlan(
        descriptor(desc), mode: require(mode, "mode", RecurrentMode.self), context: ExecutionContext.from(context)))
  }
}

@c(apus_rnn_plan_destroy) @implementation
public func apus_rnn_plan_destroy(_ plan: OpaquePointer?) { release(plan) }

@c(apus_rnn_plan_get_info) @implementation
public func apus_rnn_plan_get_info(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ info: UnsafeMutablePointer<apus_rnn_plan_info>?
) -> apus_status {
  status { () throws(ApusError) in
    let context = try ExecutionContext.from(context)
    let plan = try RecurrentPlan.from(plan)
    _ = try require(UnsafePointer(info), "info") { $0.struct_size }
    guard let info else { return }
    info.pointee.flops = plan.flops
    info.pointee.backward_flops = plan.mode == .training ? plan.backwardFlops : 0
    info.pointee.bytes = plan.bytes
    info.pointee.scratch_bytes = Int64(plan.scratchBytes(context: context))
    info.pointee.workspace_bytes = Int64(plan.workspaceBytes)
    info.pointee.packed_bytes = Int64(plan.packedBytes)
    info.pointee.parameter_count = Int64(plan.parameterCount)
    info.pointee.isa = plan.instructionSet.rawValue
    info.pointee.threads = Int32(plan.threadsUsed(context: context))
  }
}

@c(apus_rnn_plan_describe) @implementation
public func apus_rnn_plan_describe(
  _ plan: OpaquePointer?, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> apus_status {
  status { () throws(ApusError) in
    try describe(RecurrentPlan.from(plan).description, text, capacity, needed)
  }
}

// MARK: Runs

@c(apus_rnn_pack) @implementation
public func apus_rnn_pack(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ parameters: UnsafeRawPointer?,
  _ packed: UnsafeMutableRawPointer?, _ packed_bytes: Int
) -> apus_status {
  status { () throws(ApusError) in
    try RecurrentPlan.from(plan).pack(
      parameters, into: packed, capacity: packed_bytes, context: ExecutionContext.from(context))
  }
}

@c(apus_rnn_args_init) @implementation
public func apus_rnn_args_init(_ args: UnsafeMutablePointer<apus_rnn_args>?) -> apus_status {
  status { () throws(ApusError) in
    guard let args else { throw .invalid("args", "NULL", "it must point to a struct") }
    args.pointee = apus_rnn_args()
    args.pointee.struct_size = MemoryLayout<apus_rnn_args>.size
  }
}

private func arguments(_ pointer: UnsafePointer<apus_rnn_args>?) throws(ApusError) -> RecurrentArguments {
  let args = try require(pointer, "args") { $0.struct_size }
  var result = RecurrentArguments()
  result.parameters = args.pointee.parameters
  result.packed = args.pointee.packed
  result.x = args.pointee.x
  result.lengths = args.pointee.lengths
  result.h0 = args.pointee.h0
  result.c0 = args.pointee.c0
  result.y = args.pointee.y
  result.hn = args.pointee.hn
  result.cn = args.pointee.cn
  result.workspace = args.pointee.workspace
  result.workspaceBytes = args.pointee.workspace_bytes
  result.dy = args.pointee.dy
  result.dySteps = args.pointee.dy_steps
  result.dhn = args.pointee.dhn
  result.dcn = args.pointee.dcn
  result.dx = args.pointee.dx
  result.dh0 = args.pointee.dh0
  result.dc0 = args.pointee.dc0
  result.dParameters = args.pointee.dparameters
  result.accumulate = try requireFlag(args.pointee.accumulate, "accumulate")
  if args.pointee.reserved != 0 { throw .invalid("reserved", args.pointee.reserved, "it must be 0") }
  result.scratch = args.pointee.scratch
  result.scratchBytes = args.pointee.scratch_bytes
  return result
}

@c(apus_rnn_forward) @implementation
public func apus_rnn_forward(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ args: UnsafePointer<apus_rnn_args>?
) -> apus_status {
  status { () throws(ApusError) in
    try RecurrentPlan.from(plan).forward(context: ExecutionContext.from(context), arguments(args))
  }
}

@c(apus_rnn_backward) @implementation
public func apus_rnn_backward(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ args: UnsafePointer<apus_rnn_args>?
) -> apus_status {
  status { () throws(ApusError) in
    try RecurrentPlan.from(plan).backward(context: ExecutionContext.from(context), arguments(args))
  }
}
