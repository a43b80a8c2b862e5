/// The caller's sequences and the time-major rows that the layers work on.
struct RecurrentRows {
  let steps: Int
  let batch: Int
  /// Numbers of a row.
  let width: Int
  /// Bytes of an element.
  let size: Int
  let isBatchMajor: Bool
  let lengths: UnsafePointer<Int64>?

  init(_ plan: RecurrentPlan, width: Int, lengths: UnsafePointer<Int64>?) {
    steps = plan.descriptor.steps
    batch = plan.descriptor.batch
    self.width = width
    size = plan.size
    isBatchMajor = plan.descriptor.isBatchMajor
    self.lengths = lengths
  }

  /// Elements from one step, and from one sequence, to the next in the caller's tensors.
  var stepStride: Int { isBatchMajor ? width : batch * width }
  var rowStride: Int { isBatchMajor ? steps * width : width }

  /// Whether time-major rows are a copy: padding must not meet a product, where it might spoil sums.
  var isStaged: Bool { lengths != nil || isBatchMajor && batch > 1 && steps > 1 }

  private func isActive(_ step: Int, _ row: Int) -> Bool { lengths.map { step < Int($0[row]) } ?? true }

  /// The caller's rows time-major, padding as zeros.
  func stage(
    _ x: UnsafeRawPointer, into rows: UnsafeMutableRawPointer, _ context: ExecutionContext
  ) throws(ApusError) {
    let bytes = width * size
    try context.parallel(count: steps, grain: grain) { range in
      for step in range {
        for row in 0..<batch {
          let to = rows + (step * batch + row) * bytes
          if isActive(step, row) {
            to.copyMemory(from: x + (step * stepStride + row * rowStride) * size, byteCount: bytes)
          } else {
            to.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
          }
        }
      }
    }
  }

  /// Time-major rows to the caller's: written, padding as zeros, or added to those that are no padding.
  func unstage(
    _ rows: UnsafeRawPointer, into x: UnsafeMutableRawPointer, accumulate: Bool, _ context: ExecutionContext
  ) throws(ApusError) {
    let bytes = width * size
    try context.parallel(count: steps, grain: grain) { range in
      for step in range {
        for row in 0..<batch {
          let from = rows + (step * batch + row) * bytes
          let to = x + (step * stepStride + row * rowStride) * size
          if !isActive(step, row) {
            if !accumulate { to.initializeMemory(as: UInt8.self, repeating: 0, count: bytes) }
          } else if accumulate {
            addElements(to, from, width, size)
          } else {
            to.copyMemory(from: from, byteCount: bytes)
          }
        }
      }
    }
  }

  /// The sum of two directions' states, of rows that are no padding: to the caller's y, or time-major for the next layer.
  func sum(
    _ states: UnsafeRawPointer, pitch: Int, into y: UnsafeMutableRawPointer, isCallers: Bool,
    _ context: ExecutionContext
  ) throws(ApusError) {
    let bytes = width * size
    try context.parallel(count: steps, grain: grain) { range in
      for step in range {
        for row in 0..<batch {
          let from = states + ((step + 1) * batch + row) * pitch * size
          let to =
            y + (isCallers ? (step * stepStride + row * rowStride) : (step * batch + row) * width) * size
          if isCallers && !isActive(step, row) { continue }
          to.copyMemory(from: from, byteCount: bytes)
          addElements(to, from + bytes, width, size)
        }
      }
    }
  }

  /// Steps of a part of a parallel copy.
  private var grain: Int { max(1, (1 << 18) / max(1, batch * width * size)) }
}

/// to += from, element by element.
func addElements(_ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: Int, _ size: Int) {
  func add<T: BinaryFloatingPoint>(_: T.Type) {
    let to = to.assumingMemoryBound(to: T.self)
    let from = from.assumingMemoryBound(to: T.self)
    for i in 0..<count { to[i] += from[i] }
  }
  if size == 4 { add(Float.self) } else { add(Double.self) }
}

/// Rows of `width` elements, `source` nil for zeros.
func copyRows(
  _ source: UnsafeRawPointer?, _ sourcePitch: Int, into target: UnsafeMutableRawPointer, _ targetPitch: Int, rows: Int,
  width: Int, size: Int, accumulate: Bool = false
) {
  for row in 0..<rows {
    let to = target + row * targetPitch * size
    if let source {
      let from = source + row * sourcePitch * size
      if accumulate {
        addElements(to, from, width, size)
      } else {
        to.copyMemory(from: from, byteCount: width * size)
      }
    } else if !accumulate {
      to.initializeMemory(as: UInt8.self, repeating: 0, count: width * size)
    }
  }
}
