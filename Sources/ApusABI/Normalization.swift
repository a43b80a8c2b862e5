// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import CApus

private func normalization(_ pointer: UnsafePointer<apus_norm_desc>?) throws(ApusError) -> Normalization {
  let desc = try require(pointer, "desc") { $0.struct_size }.pointee
  var result = Normalization(
    try require(desc.kind, "kind", NormalizationKind.self), dataType: try require(desc.dtype, "dtype", DataType.self),
    batch: Int(desc.batch), channels: Int(desc.channels), positions: Int(desc.positions))
  result.layout = try require(desc.layout, "layout", TensorLayout.self)
  result.isTraining = try requireFlag(desc.training, "training")
  result.groups = Int(desc.groups)
  result.epsilon = desc.epsilon
  result.momentum = desc.momentum
  return result
}

private func arguments(_ pointer: UnsafePointer<apus_norm_args>?) throws(ApusError) -> NormalizationArguments {
  let args = try require(pointer, "args") { $0.struct_size }.pointee
  var result = NormalizationArguments()
  result.x = args.x
  result.gamma = args.gamma
  result.beta = args.beta
  result.y = args.y
  result.mean = args.mean
  result.scale = args.scale
  result.runningMean = args.running_mean
  result.runningVariance = args.running_variance
  result.dy = args.dy
  result.dx = args.dx
  result.dgamma = args.dgamma
  result.dbeta = args.dbeta
  return result
}

@c(apus_norm_desc_init) @implementation
public func apus_norm_desc_init(
  _ desc: UnsafeMutablePointer<apus_norm_desc>?, _ dtype: Int32, _ kind: Int32, _ batch: Int64, _ channels: Int64,
  _ positions: Int64
) -> apus_status {
  status { () throws(ApusError) in
    var result = apus_norm_desc()
    result.struct_size = MemoryLayout<apus_norm_desc>.size
    result.dtype = dtype
    result.kind = kind
    result.training = 1
    result.batch = batch
    result.channels = channels
    result.positions = positions
    result.groups = 1
    result.epsilon = 1e-5
    result.momentum = 0.1
    try fill(desc, "desc", result)
  }
}

@c(apus_norm_statistics_count) @implementation
public func apus_norm_statistics_count(
  _ desc: UnsafePointer<apus_norm_desc>?, _ count: UnsafeMutablePointer<Int64>?
) -> apus_status {
  status { () throws(ApusError) in
    let normalization = try normalization(desc)
    try normalization.check()
    guard let count else { throw .invalid("count", "NULL", "it must point to where the number goes") }
    count.pointee = Int64(normalization.statisticsCount)
  }
}

@c(apus_norm_args_init) @implementation
public func apus_norm_args_init(_ args: UnsafeMutablePointer<apus_norm_args>?) -> apus_status {
  status { () throws(ApusError) in
    var result = apus_norm_args()
    result.struct_size = MemoryLayout<apus_norm_args>.size
    try fill(args, "args", result)
  }
}

@c(apus_norm_forward) @implementation
public func apus_norm_forward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_norm_desc>?, _ args: UnsafePointer<apus_norm_args>?
) -> apus_status {
  status { () throws(ApusError) in
    try normalization(desc).forward(context: ExecutionContext.from(context), arguments(args))
  }
}

@c(apus_norm_backward) @implementation
public func apus_norm_backward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_norm_desc>?, _ args: UnsafePointer<apus_norm_args>?
) -> apus_status {
  status { () throws(ApusError) in
    try normalization(desc).backward(context: ExecutionContext.from(context), arguments(args))
  }
}

@c(apus_norm_fold) @implementation
public func apus_norm_fold(
  _ desc: UnsafePointer<apus_norm_desc>?, _ args: UnsafePointer<apus_norm_args>?, _ per_channel: Int64,
  _ weights: UnsafeRawPointer?, _ bias: UnsafeRawPointer?, _ new_weights: UnsafeMutableRawPointer?,
  _ new_bias: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try normalization(desc).fold(
      arguments(args), perChannel: Int(per_channel), weights: weights, bias: bias, newWeights: new_weights,
      newBias: new_bias)
  }
}

private func response(_ pointer: UnsafePointer<apus_lrn_desc>?) throws(ApusError) -> ResponseNormalization {
  let desc = try require(pointer, "desc") { $0.struct_size }.pointee
  var result = ResponseNormalization(
    dataType: try require(desc.dtype, "dtype", DataType.self), batch: Int(desc.batch), channels: Int(desc.channels),
    positions: Int(desc.positions))
  result.layout = try require(desc.layout, "layout", TensorLayout.self)
  result.size = Int(desc.size)
  result.alpha = desc.alpha
  result.beta = desc.beta
  result.k = desc.k
  return result
}

@c(apus_lrn_desc_init) @implementation
public func apus_lrn_desc_init(
  _ desc: UnsafeMutablePointer<apus_lrn_desc>?, _ dtype: Int32, _ batch: Int64, _ channels: Int64, _ positions: Int64
) -> apus_status {
  status { () throws(ApusError) in
    var result = apus_lrn_desc()
    result.struct_size = MemoryLayout<apus_lrn_desc>.size
    result.dtype = dtype
    result.batch = batch
    result.channels = channels
    result.positions = positions
    result.size = 5
    result.alpha = 1e-4
    result.beta = 0.75
    result.k = 1
    try fill(desc, "desc", result)
  }
}

@c(apus_lrn_forward) @implementation
public func apus_lrn_forward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_lrn_desc>?, _ x: UnsafeRawPointer?,
  _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try response(desc).forward(context: ExecutionContext.from(context), x: x, y: y)
  }
}

@c(apus_lrn_backward) @implementation
public func apus_lrn_backward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_lrn_desc>?, _ x: UnsafeRawPointer?, _ dy: UnsafeRawPointer?,
  _ dx: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try response(desc).backward(context: ExecutionContext.from(context), x: x, dy: dy, dx: dx)
  }
}
