// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

private func crossEntropy(_ pointer: UnsafePointer<apus_cross_entropy_desc>?) throws(ApusError) -> CrossEntropy {
  let desc = try require(pointer, "desc") { $0.struct_size }.pointee
  var result = CrossEntropy(
    dataType: try require(desc.dtype, "dtype", DataType.self), batch: Int(desc.batch), classes: Int(desc.classes),
    target: try require(desc.target_type, "target_type", LossTarget.self))
  result.positions = Int(desc.positions)
  result.isLogarithm = try requireFlag(desc.logarithm, "logarithm")
  result.reduction = try require(desc.reduction, "reduction", LossReduction.self)
  result.smoothing = desc.smoothing
  if try requireFlag(desc.ignores, "ignores") { result.ignoredLabel = Int(desc.ignored_label) }
  if desc.reserved != 0 { throw .invalid("reserved", desc.reserved, "it must be 0") }
  return result
}

@c(apus_cross_entropy_desc_init) @implementation
public func apus_cross_entropy_desc_init(
  _ desc: UnsafeMutablePointer<apus_cross_entropy_desc>?, _ dtype: Int32, _ batch: Int64, _ classes: Int64,
  _ target_type: Int32
) -> apus_status {
  status { () throws(ApusError) in
    var result = apus_cross_entropy_desc()
    result.struct_size = MemoryLayout<apus_cross_entropy_desc>.size
    result.dtype = dtype
    result.target_type = target_type
    result.reduction = LossReduction.mean.rawValue
    result.batch = batch
    result.classes = classes
    result.positions = 1
    result.ignored_label = -100
    try fill(desc, "desc", result)
  }
}

@c(apus_cross_entropy_forward) @implementation
public func apus_cross_entropy_forward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_cross_entropy_desc>?, _ x: UnsafeRawPointer?,
  _ targets: UnsafeRawPointer?, _ weights: UnsafeRawPointer?, _ loss: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try crossEntropy(desc).forward(
      context: ExecutionContext.from(context), x: x, targets: targets, classWeights: weights, loss: loss)
  }
}

@c(apus_cross_entropy_backward) @implementation
public func apus_cross_entropy_backward(
  _ context: OpaquePointer?, _ desc: UnsafePointer<apus_cross_entropy_desc>?, _ x: UnsafeRawPointer?,
  _ targets: UnsafeRawPointer?, _ weights: UnsafeRawPointer?, _ dloss: UnsafeRawPointer?,
  _ dx: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try crossEntropy(desc).backward(
      context: ExecutionContext.from(context), x: x, targets: targets, classWeights: weights, dloss: dloss, dx: dx)
  }
}

private func elementLoss(
  _ dtype: Int32, _ kind: Int32, _ reduction: Int32, _ delta: Double, _ count: Int64
) throws(ApusError) -> ElementLoss {
  var result = ElementLoss(
    try require(kind, "kind", PointwiseLoss.self), dataType: try require(dtype, "dtype", DataType.self),
    count: Int(count))
  result.reduction = try require(reduction, "reduction", LossReduction.self)
  result.delta = delta
  return result
}

@c(apus_element_loss_forward) @implementation
public func apus_element_loss_forward(
  _ context: OpaquePointer?, _ dtype: Int32, _ kind: Int32, _ reduction: Int32, _ delta: Double, _ count: Int64,
  _ x: UnsafeRawPointer?, _ targets: UnsafeRawPointer?, _ loss: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try elementLoss(dtype, kind, reduction, delta, count).forward(
      context: ExecutionContext.from(context), x: x, targets: targets, loss: loss)
  }
}

@c(apus_element_loss_backward) @implementation
public func apus_element_loss_backward(
  _ context: OpaquePointer?, _ dtype: Int32, _ kind: Int32, _ reduction: Int32, _ delta: Double, _ count: Int64,
  _ x: UnsafeRawPointer?, _ targets: UnsafeRawPointer?, _ dloss: UnsafeRawPointer?, _ dx: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try elementLoss(dtype, kind, reduction, delta, count).backward(
      context: ExecutionContext.from(context), x: x, targets: targets, dloss: dloss, dx: dx)
  }
}
