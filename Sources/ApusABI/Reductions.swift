// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

@c(apus_reduce) @implementation
public func apus_reduce(
  _ context: OpaquePointer?, _ reduction: Int32, _ axes: Int32, _ correction: Double,
  _ x_tensor: UnsafePointer<apus_tensor>?, _ x: UnsafeRawPointer?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    var plan = Reduction(try require(reduction, "reduction", ReductionKind.self), axes: Int(axes))
    plan.correction = correction
    try plan.run(context: ExecutionContext.from(context), strided(x_tensor, "x_tensor"), x: x, y: y)
  }
}

private func along(
  _ dtype: Int32, _ outer: Int64, _ size: Int64, _ inner: Int64
) throws(ApusError) -> AxisFunction {
  AxisFunction(
    dataType: try require(dtype, "dtype", DataType.self), outer: Int(outer), size: Int(size), inner: Int(inner))
}

@c(apus_argmax) @implementation
public func apus_argmax(
  _ context: OpaquePointer?, _ dtype: Int32, _ least: Int32, _ outer: Int64, _ size: Int64, _ inner: Int64,
  _ x: UnsafeRawPointer?, _ index_type: Int32, _ indices: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try along(dtype, outer, size, inner).position(
      context: ExecutionContext.from(context), least: requireFlag(least, "least"), x: x,
      indexType: requireIndexType(index_type), indices: indices)
  }
}

@c(apus_cumulative_sum) @implementation
public func apus_cumulative_sum(
  _ context: OpaquePointer?, _ dtype: Int32, _ reverse: Int32, _ exclusive: Int32, _ outer: Int64, _ size: Int64,
  _ inner: Int64, _ x: UnsafeRawPointer?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try along(dtype, outer, size, inner).cumulativeSum(
      context: ExecutionContext.from(context), isReversed: requireFlag(reverse, "reverse"),
      isExclusive: requireFlag(exclusive, "exclusive"), x: x, y: y)
  }
}
