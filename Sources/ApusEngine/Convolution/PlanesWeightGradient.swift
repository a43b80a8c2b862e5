import ApusKernelInterface

/// The gradient by weights with vectors along the width, for a first layer of few filters: products of the planes of dy
/// with shifted planes of x. Two dimensions at most, one group, stride and dilation 1. The weights' own form is the
/// framework's.
///
/// Each element is a sum over stretches of samples, or of rows of a sample, which are a function of the problem alone;
/// within one, see `PlaneProductShape`.
final class PlanesWeightGradient: WeightGradientMethod {
  let x: ChannelTensor
  let dy: ChannelTensor
  let samples: Int
  let window: SpatialWindow
  let samplesPerPart: Int
  /// Rows of dy in a stretch: all of them, unless there are few samples.
  let rowsPerPart: Int
  let gemm: GemmKernels
  let planes: PlaneKernels
  let size: Int

  private static let bandBytes = 128 << 10
  /// Stretches of samples, each with sums of its own, at most.
  private static let mostParts = 16
  /// Shorter stretches of rows would mostly copy the rows that they share.
  private static let leastRows = 8
  private static let together = 3

  static func canDo(_ sides: ConvolutionSides) -> Bool {
    PlanesConvolution.canDo(sides, backward: false)
  }

  init(_ sides: ConvolutionSides, _ gemm: GemmKernels, _ planes: PlaneKernels, size: Int) {
    self.gemm = gemm
    self.planes = planes
    self.size = size
    samples = sides.batch
    window = sides.window
    x = ChannelTensor(channels: sides.c, extents: sides.window.input, layout: sides.xLayout)
    dy = ChannelTensor(channels: sides.k, extents: sides.output, layout: sides.yLayout)
    samplesPerPart = max(1, samples.dividedRoundingUp(by: Self.mostParts))
    let pieces = max(1, min(Self.mostParts / max(1, samples), dy.extents.height / Self.leastRows))
    rowsPerPart = dy.extents.height.dividedRoundingUp(by: pieces)
  }

  var details: String { "stretches of \(samplesPerPart) images, \(rowsPerPart) rows" }
  var weightElements: Int { window.window.product * x.channels * dy.channels }
  var weightParts: Int { 1 }
  func pack(_ weights: UnsafeRawPointer, into own: UnsafeMutableRawPointer, part: Int) {
    own.copyMemory(from: weights, byteCount: weightElements * size)
  }
  func unpack(_ own: UnsafeRawPointer, into weights: UnsafeMutableRawPointer, accumulate: Bool, part: Int) {
    var output = GemmOutput()
    output.beta = accumulate ? 1 : 0
    gemm.finish(own, weightElements, 1, weightElements, weights, weightElements, &output)
  }

  // MARK: Scratch

  private var rowParts: Int { dy.extents.height.dividedRoundingUp(by: rowsPerPart) }
  private var parts: Int { samples.dividedRoundingUp(by: samplesPerPart) * rowParts }
  private var xBand: PlaneBand {
    PlaneBand(
      channels: x.channels, rows: rowsPerPart + window.window.height - 1,
      columns: dy.extents.width + window.window.width - 1, lanes: gemm.lanes)
  }
  private var dyBand: PlaneBand {
    PlaneBand(channels: dy.channels, rows: rowsPerPart, columns: dy.extents.width, lanes: gemm.lanes)
  }
  /// Images whose planes are kept at a time.
  private var samplesTogether: Int {
    max(1, min(samplesPerPart, Self.bandBytes / ((xBand.elements + (dy.isChannelsFirst ? 0 : dyBand.elements)) * size)))
  }
  private var bandBytes: Int { (samplesTogether * xBand.elements * size).roundedUp(to: 64) }
  private var turnedBytes: Int {
    dy.isChannelsFirst ? 0 : (samplesTogether * dyBand.elements * size).roundedUp(to: 64)
  }
  private var sumBytes: Int { (weightElements * size).roundedUp(to: 64) }
  func scratchBytes(threads: Int) -> (slot: Int, call: Int) { (bandBytes + turnedBytes, parts * sumBytes) }

  // MARK: Runs

  func run(
    _ task: WeightGradientTask, _ scratch: UnsafeMutableRawPointer, threads: Int, _ context: ExecutionContext
  ) throws(ApusError) {
    let slots = scratch + parts * sumBytes
    try context.parallel(parts: parts, slots: threads) { slot, part in
      let (stretch, piece) = part.quotientAndRemainder(dividingBy: rowParts)
      sum(
        task, stretch * samplesPerPart..<min((stretch + 1) * samplesPerPart, samples),
        piece * rowsPerPart..<min((piece + 1) * rowsPerPart, dy.extents.height), scratch + part * sumBytes,
        slots + slot * (bandBytes + turnedBytes))
    }
    for part in 0..<parts {
      unpack(scratch + part * sumBytes, into: task.weights, accumulate: task.accumulate || part > 0, part: 0)
    }
  }

  /// The sums of a stretch of samples and rows.
  private func sum(
    _ task: WeightGradientTask, _ stretch: Range<Int>, _ rows: Range<Int>, _ sums: UnsafeMutableRawPointer,
    _ scratch: UnsafeMutableRawPointer
  ) {
    sums.initializeMemory(as: UInt8.self, repeating: 0, count: weightElements * size)
    let turned = scratch + bandBytes
    let (kernelRows, kernelColumns) = (window.window.height, window.window.width)
    var shape = PlaneProductShape(
      samples: 0, rows: rows.count, columns: dy.extents.width, xSampleStride: xBand.elements,
      xRowStride: xBand.columns, dySampleStride: dy.isChannelsFirst ? dy.sampleElements : dyBand.elements,
      dyRowStride: dy.extents.width, planes: 0,
      dyPlaneStride: dy.isChannelsFirst ? dy.extents.product : dyBand.planePitch, shifts: 0,
      resultStride: x.channels * kernelRows * kernelColumns)
    var first = stretch.lowerBound
    while first < stretch.upperBound {
      shape.samples = min(samplesTogether, stretch.upperBound - first)
      for i in 0..<shape.samples {
        xBand.fill(
          scratch + i * xBand.elements * size, from: task.x, x, 0..<x.channels, sample: first + i,
          top: rows.lowerBound - window.padBefore.height, rowCount: rows.count + kernelRows - 1,
          left: -window.padBefore.width, columnCount: xBand.columns, gemm, planes, size: size)
        if !dy.isChannelsFirst {
          dyBand.fill(
            turned + i * dyBand.elements * size, from: task.dy, dy, 0..<dy.channels, sample: first + i,
            top: rows.lowerBound, rowCount: rows.count, left: 0, columnCount: dyBand.columns, gemm, planes, size: size)
        }
      }
      let dyBase =
        dy.isChannelsFirst
        ? task.dy + dy.offset(first, 0, rows.lowerBound, 0, channel: 0) * size : UnsafeRawPointer(turned)
      for k in Swift.stride(from: 0, to: dy.channels, by: Self.together) {
        shape.planes = min(Self.together, dy.channels - k)
        for channel in 0..<x.channels {
          for row in 0..<kernelRows {
            for column in Swift.stride(from: 0, to: kernelColumns, by: PlaneKernels.heightTaps) {
              shape.shifts = min(PlaneKernels.heightTaps, kernelColumns - column)
              planes.products(
                &shape, scratch + (channel * xBand.planePitch + row * xBand.columns + column) * size,
                dyBase + k * shape.dyPlaneStride * size,
                sums + (((k * x.channels + channel) * kernelRows + row) * kernelColumns + column) * size)
            }
          }
        }
      }
      first += shape.samples
    }
  }
}
