import ApusKernelInterface

/// Framework order into panels: blocks of lanes x lanes turn in registers, and their rows go where their tap is.
@inline(__always)
func packTaps<V: KernelVector>(
  _ shape: UnsafePointer<TapPanelShape>, _ source: UnsafePointer<V.Scalar>, _ panel: UnsafeMutablePointer<V.Scalar>,
  _: V.Type
) {
  let taps = shape.pointee.taps
  let length = shape.pointee.channels &* taps
  withUnsafeTemporaryAllocation(of: V.self, capacity: V.lanes) { block in
    let turned = UnsafeMutableRawPointer(block.baseAddress!).assumingMemoryBound(to: V.Scalar.self)
    var row = 0
    while row < shape.pointee.rows {
      let rows = min(V.lanes, shape.pointee.rows &- row)
      var channel = 0
      var tap = 0
      var done = 0
      while done < length {
        let count = min(V.lanes, length &- done)
        V.transpose(
          source + (row &* shape.pointee.rowStride &+ done), shape.pointee.rowStride, rows: rows, columns: count,
          turned,
          V.lanes)
        for j in 0..<count {
          let to = shape.pointee.tapOffsets[tap] &+ channel &* shape.pointee.channelStride &+ row
          V.load(turned + j &* V.lanes).store(panel + to)
          tap &+= 1
          if tap == taps {
            tap = 0
            channel &+= 1
          }
        }
        done &+= count
      }
      row &+= V.lanes
    }
  }
}

/// Panels into framework order, overwriting or adding.
@inline(__always)
func unpackTaps<V: KernelVector>(
  _ shape: UnsafePointer<TapPanelShape>, _ panel: UnsafePointer<V.Scalar>, _ result: UnsafeMutablePointer<V.Scalar>,
  _: V.Type
) {
  let taps = shape.pointee.taps
  let length = shape.pointee.channels &* taps
  // Two allocations, because one of more than 1024 bytes would come from the heap.
  withUnsafeTemporaryAllocation(of: V.self, capacity: V.lanes) { block in
    withUnsafeTemporaryAllocation(of: V.self, capacity: V.lanes) { turnedBlock in
      let gathered = UnsafeMutableRawPointer(block.baseAddress!).assumingMemoryBound(to: V.Scalar.self)
      let turned = UnsafeMutableRawPointer(turnedBlock.baseAddress!).assumingMemoryBound(to: V.Scalar.self)
      var row = 0
      while row < shape.pointee.rows {
        let rows = min(V.lanes, shape.pointee.rows &- row)
        var channel = 0
        var tap = 0
        var done = 0
        while done < length {
          let count = min(V.lanes, length &- done)
          for j in 0..<count {
            let from = shape.pointee.tapOffsets[tap] &+ channel &* shape.pointee.channelStride &+ row
            V.load(panel + from).store(gathered + j &* V.lanes)
            tap &+= 1
            if tap == taps {
              tap = 0
              channel &+= 1
            }
          }
          V.transpose(gathered, V.lanes, rows: count, columns: rows, turned, V.lanes)
          for i in 0..<rows {
            let to = result + ((row &+ i) &* shape.pointee.rowStride &+ done)
            var x = V.load(turned + i &* V.lanes)
            if shape.pointee.accumulate { x += V.load(UnsafePointer(to), first: count) }
            x.store(to, first: count)
          }
          done &+= count
        }
        row &+= V.lanes
      }
    }
  }
}
