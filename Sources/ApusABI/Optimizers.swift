// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

@c(apus_optimizer_desc_init) @implementation
public func apus_optimizer_desc_init(
  _ desc: UnsafeMutablePointer<apus_optimizer_desc>?, _ dtype: Int32, _ kind: Int32, _ learning_rate: Double
) -> apus_status {
  status { () throws(ApusError) in
    let usual = Optimizer(OptimizerKind(rawValue: kind) ?? .sgd, dataType: .float32, rate: learning_rate)
    var result = apus_optimizer_desc()
    result.struct_size = MemoryLayout<apus_optimizer_desc>.size
    result.dtype = dtype
    result.kind = kind
    result.learning_rate = learning_rate
    result.weight_decay = usual.decay
    result.beta1 = usual.beta1
    result.beta2 = usual.beta2
    result.epsilon = usual.epsilon
    result.gradient_scale = 1
    result.clip_value = .infinity
    result.step = 1
    try fill(desc, "desc", result)
  }
}

private func optimizer(_ pointer: UnsafePointer<apus_optimizer_desc>?) throws(ApusError) -> Optimizer {
  let desc = try require(pointer, "desc") { $0.struct_size }.pointee
  var result = Optimizer(
    try require(desc.kind, "kind", OptimizerKind.self), dataType: try require(desc.dtype, "dtype", DataType.self),
    rate: desc.learning_rate)
  result.momentum = desc.momentum
  result.dampening = desc.dampening
  result.decay = desc.weight_decay
  result.beta1 = desc.beta1
  result.beta2 = desc.beta2
  result.epsilon = desc.epsilon
  result.gradientScale = desc.gradient_scale
  result.limit = desc.clip_value
  result.step = Int(desc.step)
  result.isNesterov = try requireFlag(desc.nesterov, "nesterov")
  if desc.reserved != 0 { throw .invalid("reserved", desc.reserved, "it must be 0") }
  return result
}

@c(apus_optimizer_step) @implementation
public func apus_optimizer_step(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_optimizer_desc>?, _ tensors: Int64,
  _ counts: UnsafePointer<Int64>?, _ parameters: UnsafePointer<UnsafeMutableRawPointer?>?,
  _ gradients: UnsafePointer<UnsafeRawPointer?>?, _ first: UnsafePointer<UnsafeMutableRawPointer?>?,
  _ second: UnsafePointer<UnsafeMutableRawPointer?>?
) -> apus_status {
  status { () throws(ApusError) in
    let optimizer = try optimizer(desc)
    if tensors < 0 { throw .invalid("tensors", tensors, "a size must be at least 0") }
    if tensors == 0 { return }
    guard let counts, let parameters, let gradients else {
      let name = counts == nil ? "counts" : parameters == nil ? "parameters" : "gradients"
      throw .invalid(name, "NULL", "it must point to \(tensors) of them")
    }
    try optimizer.run(context: ExecutionContext.from(context), count: Int(tensors)) { i in
      OptimizerTensor(
        count: Int(counts[i]), parameters: parameters[i], gradients: gradients[i], first: first?[i],
        second: second?[i])
    }
  }
}

@c(apus_gradient_norm) @implementation
public func apus_gradient_norm(
  _ context: OpaquePointer?, _ dtype: Int32, _ tensors: Int64, _ counts: UnsafePointer<Int64>?,
  _ gradients: UnsafePointer<UnsafeRawPointer?>?, _ max_norm: Double, _ norm: UnsafeMutablePointer<Double>?,
  _ scale: UnsafeMutablePointer<Double>?
) -> apus_status {
  status { () throws(ApusError) in
    let type = try require(dtype, "dtype", DataType.self)
    guard let norm else { throw .invalid("norm", "NULL", "it must point to where the number goes") }
    if !(max_norm > 0) { throw .invalid("max_norm", max_norm, "it must be above 0") }
    if tensors < 0 { throw .invalid("tensors", tensors, "a size must be at least 0") }
    if tensors > 0 && (counts == nil || gradients == nil) {
      throw .invalid(counts == nil ? "counts" : "gradients", "NULL", "it must point to \(tensors) of them")
    }
    let value = try Clipping.norm(type, context: ExecutionContext.from(context), count: Int(tensors)) { i in
      (Int(counts?[i] ?? 0), gradients?[i])
    }
    norm.pointee = value
    scale?.pointee = value.isFinite ? (value > max_norm ? max_norm / value : 1) : .nan
  }
}
