// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import CApus

// MARK: Descriptors

private func requireRank(_ rank: Int32) throws(ApusError) -> Int {
  if !(1...APUS_MAX_SPATIAL_RANK).contains(rank) { throw .invalid("spatial_rank", rank, "it must be 1, 2 or 3") }
  return Int(rank)
}

private func window(_ desc: apus_pool_desc, _ rank: Int) throws(ApusError) -> SpatialWindow {
  var window = SpatialWindow(
    rank: rank, input: extents(desc.input, rank: rank, rest: 1), window: extents(desc.window, rank: rank, rest: 1))
  window.stride = extents(desc.stride, rank: rank, rest: 1)
  window.dilation = extents(desc.dilation, rank: rank, rest: 1)
  window.padBefore = extents(desc.pad_before, rank: rank, rest: 0)
  window.padAfter = extents(desc.pad_after, rank: rank, rest: 0)
  if desc.adaptive == 0 { window.rounding = try require(desc.rounding, "rounding", WindowRounding.self) }
  return window
}

/// The engine's descriptor of the caller's; the rules of its numbers are checked by the plan.
private func descriptor(_ pointer: UnsafePointer<apus_pool_desc>?) throws(ApusError) -> PoolingDescriptor {
  let desc = try require(pointer, "desc") { $0.struct_size }.pointee
  let rank = try requireRank(desc.spatial_rank)
  var result = PoolingDescriptor(
    dataType: try require(desc.dtype, "dtype", DataType.self), kind: try require(desc.kind, "kind", PoolingKind.self),
    batch: Int(desc.batch), channels: Int(desc.channels), window: try window(desc, rank))
  result.layout = try require(desc.layout, "layout", TensorLayout.self)
  result.indexType = try requireIndexType(desc.index_type)
  result.norm = desc.norm
  if try requireFlag(desc.adaptive, "adaptive") {
    result.adaptiveOutput = extents(desc.output, rank: rank, rest: 1)
    result.window.window = Extents(repeating: 1)
    result.window.stride = Extents(repeating: 1)
  }
  if desc.reserved != 0 { throw .invalid("reserved", desc.reserved, "it must be 0") }
  return result
}

@c(apus_pool_desc_init) @implementation
public func apus_pool_desc_init(
  _ desc: UnsafeMutablePointer<apus_pool_desc>?, _ dtype: Int32, _ kind: Int32, _ spatial_rank: Int32, _ batch: Int64,
  _ channels: Int64, _ input: UnsafePointer<Int64>?, _ window: UnsafePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let desc else { throw .invalid("desc", "NULL", "it must point to a struct") }
    let rank = try requireRank(spatial_rank)
    guard let input else { throw .invalid("input", "NULL", "it must point to \(rank) sizes") }
    guard let window else { throw .invalid("window", "NULL", "it must point to \(rank) sizes") }
    func numbers(_ p: UnsafePointer<Int64>) -> SpatialArray { (p[0], rank > 1 ? p[1] : 1, rank > 2 ? p[2] : 1) }
    var result = apus_pool_desc()
    result.struct_size = MemoryLayout<apus_pool_desc>.size
    result.dtype = dtype
    result.spatial_rank = spatial_rank
    result.kind = kind
    result.index_type = Int32(APUS_INT32)
    result.batch = batch
    result.channels = channels
    result.input = numbers(input)
    result.window = numbers(window)
    result.stride = result.window
    result.dilation = (1, 1, 1)
    result.norm = 2
    desc.pointee = result
  }
}

@c(apus_pool_desc_set_padding) @implementation
public func apus_pool_desc_set_padding(_ desc: UnsafeMutablePointer<apus_pool_desc>?, _ padding: Int32) -> apus_status {
  status { () throws(ApusError) in
    let given = try require(UnsafePointer(desc), "desc") { $0.struct_size }.pointee
    let rank = try requireRank(given.spatial_rank)
    if padding != APUS_PADDING_VALID && padding != APUS_PADDING_SAME {
      throw .invalid(
        "padding", padding, "it must be one of: VALID = \(APUS_PADDING_VALID), SAME = \(APUS_PADDING_SAME)")
    }
    var window = try window(given, rank)
    window.padBefore = Extents(repeating: 0)
    window.padAfter = Extents(repeating: 0)
    if padding == APUS_PADDING_SAME { window = try window.paddedToSame(windowName: "window") }
    desc?.pointee.pad_before = spatialArray(window.padBefore, rank: rank)
    desc?.pointee.pad_after = spatialArray(window.padAfter, rank: rank)
  }
}

@c(apus_pool_desc_set_global) @implementation
public func apus_pool_desc_set_global(_ desc: UnsafeMutablePointer<apus_pool_desc>?) -> apus_status {
  status { () throws(ApusError) in
    let given = try require(UnsafePointer(desc), "desc") { $0.struct_size }.pointee
    _ = try requireRank(given.spatial_rank)
    desc?.pointee.adaptive = 0
    desc?.pointee.window = given.input
    desc?.pointee.stride = given.input
    desc?.pointee.dilation = (1, 1, 1)
    desc?.pointee.pad_before = (0, 0, 0)
    desc?.pointee.pad_after = (0, 0, 0)
  }
}

@c(apus_pool_output_shape) @implementation
public func apus_pool_output_shape(
  _ desc: UnsafePointer<apus_pool_desc>?, _ output: UnsafeMutablePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    let descriptor = try descriptor(desc)
    guard let output else {
      throw .invalid("output", "NULL", "it must have room for \(descriptor.window.rank) numbers")
    }
    let size = try descriptor.outputSize()
    for (i, dimension) in descriptor.window.dimensions.enumerated() { output[i] = Int64(size[dimension]) }
  }
}

// MARK: Plans

extension PoolingPlan {
  fileprivate static func from(_ handle: OpaquePointer?) throws(ApusError) -> PoolingPlan {
    guard let handle else { throw .invalid("plan", "NULL", "it must be a plan that apus_pool_plan_create made") }
    return Unmanaged<PoolingPlan>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }
}

@c(apus_pool_plan_create) @implementation
public func apus_pool_plan_create(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_pool_desc>?, _ direction: Int32,
  _ plan: UnsafeMutablePointer<OpaquePointer?>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let plan else { throw .invalid("plan", "NULL", "it must point to where the handle goes") }
    plan.pointee = handle(
      try PoolingPlan(
        descriptor(desc), direction: require(direction, "direction", PoolingDirection.self),
        context: ExecutionContext.from(context)))
  }
}

@c(apus_pool_plan_destroy) @implementation
public func apus_pool_plan_destroy(_ plan: OpaquePointer?) { release(plan) }

@c(apus_pool_plan_get_info) @implementation
public func apus_pool_plan_get_info(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ info: UnsafeMutablePointer<apus_pool_plan_info>?
) -> apus_status {
  status { () throws(ApusError) in
    let context = try ExecutionContext.from(context)
    let plan = try PoolingPlan.from(plan)
    _ = try require(UnsafePointer(info), "info") { $0.struct_size }
    guard let info else { return }
    info.pointee.flops = plan.flops
    info.pointee.bytes = plan.bytes
    info.pointee.scratch_bytes = Int64(plan.scratchBytes(context: context))
    info.pointee.output = spatialArray(plan.output, rank: plan.descriptor.window.rank)
    info.pointee.isa = plan.instructionSet.rawValue
    info.pointee.threads = Int32(plan.threadsUsed(context: context))
  }
}

@c(apus_pool_plan_describe) @implementation
public func apus_pool_plan_describe(
  _ plan: OpaquePointer?, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> apus_status {
  status { () throws(ApusError) in
    try describe(PoolingPlan.from(plan).description, text, capacity, needed)
  }
}

// MARK: Runs

@c(apus_pool_args_init) @implementation
public func apus_pool_args_init(_ args: UnsafeMutablePointer<apus_pool_args>?) -> apus_status {
  status { () throws(ApusError) in
    guard let args else { throw .invalid("args", "NULL", "it must point to a struct") }
    args.pointee = apus_pool_args()
    args.pointee.struct_size = MemoryLayout<apus_pool_args>.size
  }
}

@c(apus_pool_run) @implementation
public func apus_pool_run(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ args: UnsafePointer<apus_pool_args>?
) -> apus_status {
  status { () throws(ApusError) in
    let plan = try PoolingPlan.from(plan)
    let args = try require(args, "args") { $0.struct_size }.pointee
    var arguments = PoolingArguments()
    arguments.x = args.x
    arguments.y = args.y
    arguments.indices = args.indices
    arguments.dy = args.dy
    arguments.dx = args.dx
    arguments.accumulates = try requireFlag(args.accumulate, "accumulate")
    if args.reserved != 0 { throw .invalid("reserved", args.reserved, "it must be 0") }
    arguments.scratch = args.scratch
    arguments.scratchBytes = args.scratch_bytes
    try plan.run(context: ExecutionContext.from(context), arguments)
  }
}
