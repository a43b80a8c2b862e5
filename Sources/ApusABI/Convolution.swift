// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

extension ConvolutionPlan {
  @inline(__always)
  static func from(_ handle: OpaquePointer?) throws(ApusError) -> ConvolutionPlan {
    guard let handle else { throw .invalid("plan", "NULL", "it must be a plan that apus_conv_plan_create made") }
    return Unmanaged<ConvolutionPlan>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }
}

// MARK: Descriptions

@c(apus_conv_desc_init) @implementation
public func apus_conv_desc_init(
  _ desc: UnsafeMutablePointer<apus_conv_desc>?, _ dtype: Int32, _ spatial_rank: Int32, _ in_channels: Int64,
  _ out_channels: Int64, _ input: UnsafePointer<Int64>?, _ kernel: UnsafePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let desc else { throw .invalid("desc", "NULL", "it must point to a struct") }
    if !(1...3).contains(spatial_rank) { throw .invalid("spatial_rank", spatial_rank, "it must be 1, 2 or 3") }
    guard let input else { throw .invalid("input", "NULL", "it must have \(spatial_rank) numbers") }
    guard let kernel else { throw .invalid("kernel", "NULL", "it must have \(spatial_rank) numbers") }
    func array(_ p: UnsafePointer<Int64>) -> SpatialArray {
      (p[0], spatial_rank > 1 ? p[1] : 1, spatial_rank > 2 ? p[2] : 1)
    }
    var result = apus_conv_desc()
    result.struct_size = MemoryLayout<apus_conv_desc>.size
    result.dtype = dtype
    result.spatial_rank = spatial_rank
    result.batch = 1
    result.in_channels = in_channels
    result.out_channels = out_channels
    result.groups = 1
    result.input = array(input)
    result.kernel = array(kernel)
    result.stride = (1, 1, 1)
    result.dilation = (1, 1, 1)
    result.x_layout = Int32(APUS_LAYOUT_NHWC)
    result.y_layout = Int32(APUS_LAYOUT_NHWC)
    desc.pointee = result
  }
}

@c(apus_conv_desc_set_padding) @implementation
public func apus_conv_desc_set_padding(_ desc: UnsafeMutablePointer<apus_conv_desc>?, _ padding: Int32) -> apus_status {
  status { () throws(ApusError) in
    _ = try require(UnsafePointer(desc), "desc") { $0.struct_size }
    guard let desc else { return }
    let rank = Int(desc.pointee.spatial_rank)
    switch padding {
    case Int32(APUS_PADDING_VALID):
      desc.pointee.pad_before = (0, 0, 0)
      desc.pointee.pad_after = (0, 0, 0)
    case Int32(APUS_PADDING_SAME):
      if desc.pointee.transposed != 0 {
        throw .invalid("padding", "SAME", "a transposed convolution has its padding in numbers only")
      }
      let window = try window(desc.pointee).paddedToSame(windowName: "kernel")
      desc.pointee.pad_before = spatialArray(window.padBefore, rank: rank)
      desc.pointee.pad_after = spatialArray(window.padAfter, rank: rank)
    default: throw .invalid("padding", padding, "it must be APUS_PADDING_VALID = 0 or APUS_PADDING_SAME = 1")
    }
  }
}

private func window(_ desc: apus_conv_desc) throws(ApusError) -> SpatialWindow {
  let rank = Int(desc.spatial_rank)
  if !(1...3).contains(rank) { throw .invalid("spatial_rank", rank, "it must be 1, 2 or 3") }
  var window = SpatialWindow(
    rank: rank, input: extents(desc.input, rank: rank, rest: 1), window: extents(desc.kernel, rank: rank, rest: 1))
  window.stride = extents(desc.stride, rank: rank, rest: 1)
  window.dilation = extents(desc.dilation, rank: rank, rest: 1)
  window.padBefore = extents(desc.pad_before, rank: rank, rest: 0)
  window.padAfter = extents(desc.pad_after, rank: rank, rest: 0)
  window.rounding = try require(desc.rounding, "rounding", WindowRounding.self)
  return window
}

/// The engine's descriptor of the caller's; the rules of its numbers are checked by the plan.
private func descriptor(_ desc: UnsafePointer<apus_conv_desc>?) throws(ApusError) -> ConvolutionDescriptor {
  let desc = try require(desc, "desc") { $0.struct_size }.pointee
  var result = ConvolutionDescriptor(
    dataType: try require(desc.dtype, "dtype", DataType.self), batch: Int(desc.batch),
    inputChannels: Int(desc.in_channels), outputChannels: Int(desc.out_channels), window: try window(desc))
  result.groups = Int(desc.groups)
  result.xLayout = try require(desc.x_layout, "x_layout", TensorLayout.self)
  result.yLayout = try require(desc.y_layout, "y_layout", TensorLayout.self)
  result.isTransposed = try requireFlag(desc.transposed, "transposed")
  result.outputPadding = extents(desc.output_padding, rank: Int(desc.spatial_rank), rest: 0)
  result.hasBias = try requireFlag(desc.bias, "bias")
  result.hasResidual = try requireFlag(desc.residual, "residual")
  result.activation = try require(desc.activation, "activation", Activation.self)
  result.slope = desc.slope
  let known = Int32(APUS_CONV_PACKED_WEIGHTS | APUS_CONV_ALLOW_WINOGRAD)
  if desc.flags & ~known != 0 {
    throw .invalid("flags", desc.flags, "the known bits are PACKED_WEIGHTS = 1 and ALLOW_WINOGRAD = 2")
  }
  if desc.reserved != 0 { throw .invalid("reserved", desc.reserved, "it must be 0") }
  result.packedWeights = desc.flags & Int32(APUS_CONV_PACKED_WEIGHTS) != 0
  result.allowsWinograd = desc.flags & Int32(APUS_CONV_ALLOW_WINOGRAD) != 0
  if desc.algorithm != Int32(APUS_CONV_AUTO) {
    result.algorithm = try require(desc.algorithm, "algorithm", ConvolutionAlgorithm.self)
  }
  return result
}

@c(apus_conv_output_shape) @implementation
public func apus_conv_output_shape(
  _ desc: UnsafePointer<apus_conv_desc>?, _ shape: UnsafeMutablePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    let descriptor = try descriptor(desc)
    guard let shape else { throw .invalid("shape", "NULL", "it must have room for \(descriptor.window.rank) numbers") }
    // As parameterCount does: every rule, not the geometry's alone.
    _ = try descriptor.parameterCount()
    let size = try descriptor.outputSize()
    for (index, i) in descriptor.window.dimensions.enumerated() { shape[index] = Int64(size[i]) }
  }
}

@c(apus_conv_parameter_count) @implementation
public func apus_conv_parameter_count(
  _ desc: UnsafePointer<apus_conv_desc>?, _ count: UnsafeMutablePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let count else { throw .invalid("count", "NULL", "it must point to a number") }
    count.pointee = Int64(try descriptor(desc).parameterCount())
  }
}

@c(apus_conv_algorithms) @implementation
public func apus_conv_algorithms(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_conv_desc>?, _ direction: Int32,
  _ algorithms: UnsafeMutablePointer<Int32>?, _ capacity: Int32, _ count: UnsafeMutablePointer<Int32>?
) -> apus_status {
  status { () throws(ApusError) in
    let list = try ConvolutionPlan.algorithms(
      descriptor(desc), direction: require(direction, "direction", ConvolutionDirection.self),
      context: ExecutionContext.from(context))
    guard let count else { throw .invalid("count", "NULL", "it must point to a number") }
    if capacity < 0 { throw .invalid("capacity", capacity, "it must be at least 0") }
    if algorithms == nil && capacity > 0 {
      throw .invalid("algorithms", "NULL", "it must have room for \(capacity) numbers")
    }
    count.pointee = Int32(list.count)
    for (i, algorithm) in list.prefix(Int(capacity)).enumerated() { algorithms?[i] = algorithm.rawValue }
  }
}

@c(apus_conv_algorithm_name) @implementation
public func apus_conv_algorithm_name(_ algorithm: Int32) -> UnsafePointer<CChar>? {
  let name: StaticString =
    switch ConvolutionAlgorithm(rawValue: algorithm) {
    case .direct: "direct"
    case .implicitGemm: "implicit_gemm"
    case .pointwise: "pointwise"
    case .depthwise: "depthwise"
    case .planes: "planes"
    case .winograd: "winograd"
    case nil: "unknown"
    }
  return staticText(name)
}

// MARK: Plans

@c(apus_conv_plan_create) @implementation
public func apus_conv_plan_create(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_conv_desc>?, _ direction: Int32,
  _ plan: UnsafeMutablePointer<OpaquePointer?>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let plan else { throw .invalid("plan", "NULL", "it must point to where the handle goes") }
    plan.pointee = handle(
      try ConvolutionPlan(
        descriptor(desc), direction: require(direction, "direction", ConvolutionDirection.self),
        context: ExecutionContext.from(context)))
  }
}

@c(apus_conv_plan_destroy) @implementation
public func apus_conv_plan_destroy(_ plan: OpaquePointer?) { release(plan) }

@c(apus_conv_plan_get_info) @implementation
public func apus_conv_plan_get_info(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ info: UnsafeMutablePointer<apus_conv_info>?
) -> apus_status {
  status { () throws(ApusError) in
    let context = try ExecutionContext.from(context)
    let plan = try ConvolutionPlan.from(plan)
    _ = try require(UnsafePointer(info), "info") { $0.struct_size }
    guard let info else { return }
    info.pointee.flops = plan.flops
    info.pointee.bytes = plan.bytes
    info.pointee.scratch_bytes = Int64(plan.scratchBytes(context: context))
    info.pointee.packed_weights_bytes = Int64(plan.packedWeightBytes)
    info.pointee.output = spatialArray(plan.outputSize, rank: plan.descriptor.window.rank)
    info.pointee.algorithm = plan.algorithm.rawValue
    info.pointee.isa = plan.instructionSet.rawValue
    info.pointee.threads = Int32(plan.threadsUsed(context: context))
  }
}

@c(apus_conv_plan_describe) @implementation
public func apus_conv_plan_describe(
  _ plan: OpaquePointer?, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> apus_status {
  status { () throws(ApusError) in
    try describe(ConvolutionPlan.from(plan).description, text, capacity, needed)
  }
}

@c(apus_conv_pack_weights) @implementation
public func apus_conv_pack_weights(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ weights: UnsafeRawPointer?, _ packed: UnsafeMutableRawPointer?,
  _ packed_bytes: Int
) -> apus_status {
  status { () throws(ApusError) in
    try ConvolutionPlan.from(plan).packWeights(
      weights, into: packed, capacity: packed_bytes, context: ExecutionContext.from(context))
  }
}

@c(apus_conv_unpack_weights) @implementation
public func apus_conv_unpack_weights(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ packed: UnsafeRawPointer?, _ weights: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try ConvolutionPlan.from(plan).unpackWeights(packed, into: weights, context: ExecutionContext.from(context))
  }
}

// MARK: Runs

@c(apus_conv_args_init) @implementation
public func apus_conv_args_init(_ args: UnsafeMutablePointer<apus_conv_args>?) -> apus_status {
  status { () throws(ApusError) in
    guard let args else { throw .invalid("args", "NULL", "it must point to a struct") }
    args.pointee = apus_conv_args()
    args.pointee.struct_size = MemoryLayout<apus_conv_args>.size
  }
}

@c(apus_conv_run) @implementation
public func apus_conv_run(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ args: UnsafePointer<apus_conv_args>?
) -> apus_status {
  status { () throws(ApusError) in
    let plan = try ConvolutionPlan.from(plan)
    let args = try require(args, "args") { $0.struct_size }.pointee
    let context = try ExecutionContext.from(context)
    if args.reserved != 0 { throw .invalid("reserved", args.reserved, "it must be 0") }
    var arguments = ConvolutionArguments()
    arguments.x = args.x
    arguments.weights = args.weights
    arguments.bias = args.bias
    arguments.residual = args.residual
    arguments.y = args.y
    arguments.dy = args.dy
    arguments.dx = args.dx
    arguments.dw = args.dw
    arguments.db = args.db
    arguments.accumulate = try requireFlag(args.accumulate, "accumulate")
    arguments.scratch = args.scratch
    arguments.scratchBytes = args.scratch_bytes
    try plan.run(context: context, arguments)
  }
}
