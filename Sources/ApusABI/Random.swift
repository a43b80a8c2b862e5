// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusKernelInterface
import CApus

@c(apus_random_fill) @implementation
public func apus_random_fill(
  _ context: OpaquePointer?, _ dtype: Int32, _ distribution: Int32, _ a: Double, _ b: Double, _ low: Double,
  _ high: Double, _ seed: UInt64, _ offset: UInt64, _ count: Int64, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    var fill = RandomFill(
      try require(distribution, "distribution", RandomDistribution.self),
      dataType: try require(dtype, "dtype", DataType.self), a: a, b: b)
    fill.low = low
    fill.high = high
    try fill.run(context: ExecutionContext.from(context), seed: seed, offset: offset, count: Int(count), y: y)
  }
}

@c(apus_dropout) @implementation
public func apus_dropout(
  _ context: OpaquePointer?, _ dtype: Int32, _ probability: Double, _ seed: UInt64, _ offset: UInt64, _ count: Int64,
  _ x: UnsafeRawPointer?, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try Dropout.run(
      require(dtype, "dtype", DataType.self), context: ExecutionContext.from(context), probability: probability,
      seed: seed, offset: offset, count: Int(count), x: x, y: y)
  }
}

@c(apus_initialize) @implementation
public func apus_initialize(
  _ context: OpaquePointer?, _ dtype: Int32, _ initializer: Int32, _ fan_in: Int64, _ fan_out: Int64, _ gain: Double,
  _ seed: UInt64, _ offset: UInt64, _ count: Int64, _ y: UnsafeMutableRawPointer?
) -> apus_status {
  status { () throws(ApusError) in
    try require(initializer, "initializer", Initializer.self).run(
      require(dtype, "dtype", DataType.self), context: ExecutionContext.from(context), fanIn: Int(fan_in),
      fanOut: Int(fan_out), gain: gain, seed: seed, offset: offset, count: Int(count), y: y)
  }
}
