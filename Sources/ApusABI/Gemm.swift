// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

// MARK: One call

@c(apus_sgemm) @implementation
public func apus_sgemm(
  _ context: OpaquePointer?, _ order: Int32, _ trans_a: Int32, _ trans_b: Int32, _ m: Int64, _ n: Int64, _ k: Int64,
  _ alpha: Float, _ a: UnsafePointer<Float>?, _ lda: Int64, _ b: UnsafePointer<Float>?, _ ldb: Int64, _ beta: Float,
  _ c: UnsafeMutablePointer<Float>?, _ ldc: Int64
) -> apus_status {
  gemm(context, .float32, order, trans_a, trans_b, (m, n, k), Double(alpha), a, lda, b, ldb, Double(beta), c, ldc)
}

@c(apus_dgemm) @implementation
public func apus_dgemm(
  _ context: OpaquePointer?, _ order: Int32, _ trans_a: Int32, _ trans_b: Int32, _ m: Int64, _ n: Int64, _ k: Int64,
  _ alpha: Double, _ a: UnsafePointer<Double>?, _ lda: Int64, _ b: UnsafePointer<Double>?, _ ldb: Int64, _ beta: Double,
  _ c: UnsafeMutablePointer<Double>?, _ ldc: Int64
) -> apus_status {
  gemm(context, .float64, order, trans_a, trans_b, (m, n, k), alpha, a, lda, b, ldb, beta, c, ldc)
}

private func gemm(
  _ context: OpaquePointer?, _ dataType: DataType, _ order: Int32, _ transA: Int32, _ transB: Int32,
  _ shape: (m: Int64, n: Int64, k: Int64), _ alpha: Double, _ a: UnsafeRawPointer?, _ lda: Int64,
  _ b: UnsafeRawPointer?, _ ldb: Int64, _ beta: Double, _ c: UnsafeMutableRawPointer?, _ ldc: Int64
) -> apus_status {
  status { () throws(ApusError) in
    var descriptor = GemmDescriptor(dataType: dataType, m: Int(shape.m), n: Int(shape.n), k: Int(shape.k))
    descriptor.order = try require(order, "order", MatrixOrder.self)
    descriptor.transposeA = try requireTranspose(transA, "trans_a")
    descriptor.transposeB = try requireTranspose(transB, "trans_b")
    descriptor.lda = Int(lda)
    descriptor.ldb = Int(ldb)
    descriptor.ldc = Int(ldc)
    let context = try ExecutionContext.from(context)
    try GemmPlan(descriptor, context: context).run(context: context, alpha: alpha, a: a, b: b, beta: beta, c: c)
  }
}

private func requireTranspose(_ raw: Int32, _ name: String) throws(ApusError) -> Bool {
  switch raw {
  case Int32(APUS_NO_TRANS): return false
  case Int32(APUS_TRANS): return true
  default: throw .invalid(name, raw, "it must be APUS_NO_TRANS = 111 or APUS_TRANS = 112")
  }
}

// MARK: Descriptors

@c(apus_gemm_desc_init) @implementation
public func apus_gemm_desc_init(
  _ desc: UnsafeMutablePointer<apus_gemm_desc>?, _ dtype: Int32, _ m: Int64, _ n: Int64, _ k: Int64
) -> apus_status {
  status { () throws(ApusError) in
    guard let desc else { throw .invalid("desc", "NULL", "it must point to a struct") }
    desc.pointee = plainDescriptor(dtype, m, n, k)
  }
}

private func plainDescriptor(_ dtype: Int32, _ m: Int64, _ n: Int64, _ k: Int64) -> apus_gemm_desc {
  var desc = apus_gemm_desc()
  desc.struct_size = MemoryLayout<apus_gemm_desc>.size
  desc.dtype = dtype
  desc.order = Int32(APUS_ROW_MAJOR)
  desc.trans_a = Int32(APUS_NO_TRANS)
  desc.trans_b = Int32(APUS_NO_TRANS)
  desc.m = m
  desc.n = n
  desc.k = k
  desc.lda = max(1, k)
  desc.ldb = max(1, n)
  desc.ldc = max(1, n)
  desc.ldr = max(1, n)
  desc.batch = 1
  return desc
}

@c(apus_gemm_desc_from_tensors) @implementation
public func apus_gemm_desc_from_tensors(
  _ desc: UnsafeMutablePointer<apus_gemm_desc>?, _ a: UnsafePointer<apus_tensor>?, _ b: UnsafePointer<apus_tensor>?,
  _ c: UnsafePointer<apus_tensor>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let desc else { throw .invalid("desc", "NULL", "it must point to a struct") }
    let plan = try GemmDescriptor(a: tensor(a, "a"), b: tensor(b, "b"), c: tensor(c, "c"))
    var result = plainDescriptor(plan.dataType.rawValue, Int64(plan.m), Int64(plan.n), Int64(plan.k))
    result.order = plan.order.rawValue
    result.trans_a = Int32(plan.transposeA ? APUS_TRANS : APUS_NO_TRANS)
    result.trans_b = Int32(plan.transposeB ? APUS_TRANS : APUS_NO_TRANS)
    result.lda = Int64(plan.lda)
    result.ldb = Int64(plan.ldb)
    result.ldc = Int64(plan.ldc)
    result.ldr = Int64(plan.ldc)
    result.batch = Int64(plan.batch)
    result.stride_a = Int64(plan.strideA)
    result.stride_b = Int64(plan.strideB)
    result.stride_c = Int64(plan.strideC)
    result.stride_r = Int64(plan.strideC)
    desc.pointee = result
  }
}

/// The engine's descriptor of the caller's; the rules of its numbers are checked by the plan.
private func descriptor(_ desc: apus_gemm_desc) throws(ApusError) -> GemmDescriptor {
  let dataType = try require(desc.dtype, "dtype", DataType.self)
  var result = GemmDescriptor(dataType: dataType, m: Int(desc.m), n: Int(desc.n), k: Int(desc.k))
  result.order = try require(desc.order, "order", MatrixOrder.self)
  result.transposeA = try requireTranspose(desc.trans_a, "trans_a")
  result.transposeB = try requireTranspose(desc.trans_b, "trans_b")
  result.lda = Int(desc.lda)
  result.ldb = Int(desc.ldb)
  result.ldc = Int(desc.ldc)
  result.batch = Int(desc.batch)
  result.batchKind = try require(desc.batch_kind, "batch_kind", GemmBatchKind.self)
  result.strideA = Int(desc.stride_a)
  result.strideB = Int(desc.stride_b)
  result.strideC = Int(desc.stride_c)
  result.bias = try require(desc.bias, "bias", GemmBias.self)
  result.activation = try require(desc.activation, "activation", Activation.self)
  result.slope = desc.slope
  if desc.residual != 0 && desc.residual != 1 { throw .invalid("residual", desc.residual, "it must be 0 or 1") }
  result.hasResidual = desc.residual == 1
  result.ldr = Int(desc.ldr)
  result.strideResidual = Int(desc.stride_r)
  let known = Int32(APUS_GEMM_ROW_INVARIANT | APUS_GEMM_PACKED_A | APUS_GEMM_PACKED_B)
  if desc.flags & ~known != 0 {
    throw .invalid("flags", desc.flags, "the known bits are ROW_INVARIANT = 1, PACKED_A = 2 and PACKED_B = 4")
  }
  if desc.reserved != 0 { throw .invalid("reserved", desc.reserved, "it must be 0") }
  result.isRowInvariant = desc.flags & Int32(APUS_GEMM_ROW_INVARIANT) != 0
  result.packedA = desc.flags & Int32(APUS_GEMM_PACKED_A) != 0
  result.packedB = desc.flags & Int32(APUS_GEMM_PACKED_B) != 0
  return result
}

// MARK: Plans

@c(apus_gemm_plan_create) @implementation
public func apus_gemm_plan_create(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_gemm_desc>?, _ plan: UnsafeMutablePointer<OpaquePointer?>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let plan else { throw .invalid("plan", "NULL", "it must point to where the handle goes") }
    let desc = try require(desc, "desc") { $0.struct_size }
    plan.pointee = handle(
      try GemmPlan(descriptor(desc.pointee), context: ExecutionContext.from(context)))
  }
}

@c(apus_gemm_plan_destroy) @implementation
public func apus_gemm_plan_destroy(_ plan: OpaquePointer?) { release(plan) }

@c(apus_gemm_plan_get_info) @implementation
public func apus_gemm_plan_get_info(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ info: UnsafeMutablePointer<apus_plan_info>?
) -> apus_status {
  status { () throws(ApusError) in
    let context = try ExecutionContext.from(context)
    let plan = try GemmPlan.from(plan)
    _ = try require(UnsafePointer(info), "info") { $0.struct_size }
    guard let info else { return }
    info.pointee.flops = plan.flops
    info.pointee.bytes = plan.bytes
    info.pointee.scratch_bytes = Int64(plan.scratchBytes(context: context))
    info.pointee.packed_a_bytes = Int64(plan.packedBytes(.a))
    info.pointee.packed_b_bytes = Int64(plan.packedBytes(.b))
    info.pointee.isa = plan.instructionSet.rawValue
    info.pointee.threads = Int32(plan.threadsUsed(context: context))
  }
}

@c(apus_gemm_plan_describe) @implementation
public func apus_gemm_plan_describe(
  _ plan: OpaquePointer?, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> apus_status {
  status { () throws(ApusError) in
    try describe(GemmPlan.from(plan).description, text, capacity, needed)
  }
}

@c(apus_gemm_pack) @implementation
public func apus_gemm_pack(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ operand: Int32, _ source: UnsafeRawPointer?, _ ld: Int64,
  _ packed: UnsafeMutableRawPointer?, _ packed_bytes: Int
) -> apus_status {
  status { () throws(ApusError) in
    try GemmPlan.from(plan).pack(
      require(operand, "operand", GemmOperand.self), source: source, leading: Int(ld), into: packed,
      capacity: packed_bytes, context: ExecutionContext.from(context))
  }
}

// MARK: Runs

@c(apus_gemm_args_init) @implementation
public func apus_gemm_args_init(_ args: UnsafeMutablePointer<apus_gemm_args>?) -> apus_status {
  status { () throws(ApusError) in
    guard let args else { throw .invalid("args", "NULL", "it must point to a struct") }
    args.pointee = apus_gemm_args()
    args.pointee.struct_size = MemoryLayout<apus_gemm_args>.size
    args.pointee.alpha = 1
  }
}

@c(apus_gemm_run) @implementation
public func apus_gemm_run(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ args: UnsafePointer<apus_gemm_args>?
) -> apus_status {
  if let plan, let args, args.pointee.struct_size == MemoryLayout<apus_gemm_args>.size, args.pointee.scratch == nil {
    let isDone = Unmanaged<GemmPlan>.fromOpaque(UnsafeRawPointer(plan))._withUnsafeGuaranteedRef {
      $0.runDirectly(args.pointee.alpha, args.pointee.a, args.pointee.b, args.pointee.beta, args.pointee.c)
    }
    if isDone { return apus_status(APUS_OK) }
  }
  return run(context, plan, args)
}

/// The whole way: every check, and threads.
@inline(never)
private func run(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ args: UnsafePointer<apus_gemm_args>?
) -> apus_status {
  status { () throws(ApusError) in
    let plan = try GemmPlan.from(plan)
    let args = try require(args, "args") { $0.struct_size }
    let context = try ExecutionContext.from(context)
    var arguments = GemmArguments()
    arguments.alpha = args.pointee.alpha
    arguments.beta = args.pointee.beta
    arguments.a = args.pointee.a
    arguments.b = args.pointee.b
    arguments.c = args.pointee.c
    arguments.bias = args.pointee.bias
    arguments.residual = args.pointee.residual
    arguments.scratch = args.pointee.scratch
    arguments.scratchBytes = args.pointee.scratch_bytes
    try plan.run(context: context, arguments)
  }
}
