import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Depthwise layers in bands of lines, read a row or two at a time.
@Suite struct DepthwiseBandTests {
  /// Positions of a line: groups of seven and four, several together where channels are few, and some alone; of lines more
  /// than a band has, and fewer; pixels that lie a multiple of 512 bytes apart, and nearer ones.
  static func problems(_ type: DataType) -> [ConvolutionDescriptor] {
    func plane(_ stride: Int, _ height: Int, _ width: Int, _ pad: Int, channels: Int) -> ConvolutionDescriptor {
      var d = ConvolutionDescriptor.plane(
        type, channels: channels, height: height, width: width, filters: channels, kernel: 3, stride: stride, pad: pad)
      d.groups = channels
      return d
    }
    var list = [ConvolutionDescriptor]()
    for stride in 1...2 {
      let rows = stride == 1 ? 8 : 0
      list += [
        plane(stride, 26 + rows, 26, 1, channels: 128), plane(stride, 33 + rows, 27, 1, channels: 128),
        plane(stride, 17, 23, 0, channels: 128), plane(stride, 13, 30, 2, channels: 128),
        plane(stride, 12, 7, 1, channels: 512), plane(stride, 14 + rows, 41, 1, channels: 37),
        plane(stride, 16, 52, 1, channels: 16),
      ]
      list[list.count - 6].batch = 2
      // The line before the first row has no row of its own.
      list[list.count - 4].window.padBefore = Extents(0, 3, 1)
      var deep = plane(stride, 14, 140, 1, channels: 128)
      deep.window = SpatialWindow(rank: 3, input: Extents(3, 14, 70 * stride), window: Extents(3, 3, 3))
      deep.window.stride = Extents(1, stride, stride)
      deep.window.padBefore = Extents(1, 1, 1)
      deep.window.padAfter = Extents(1, 1, 1)
      list.append(deep)
    }
    return list
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func values(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for (turn, problem) in Self.problems(type).enumerated() {
      for direction in ConvolutionDirection.allCases {
        for accumulate in [false, true] {
          try expectRight(problem, direction, context, accumulate: accumulate, seed: UInt64(turn))
        }
      }
    }
  }

  /// Threads divide lines, channels and long lines: where a band begins must not show.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func threadsAgree(_ set: InstructionSet, _ type: DataType) throws {
    let serial = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let contexts = try [2, 3, 5].map { try ExecutionContext(instructionSet: set, backend: .dispatch, threads: $0) }
    var wide = Self.problems(type)
    for i in wide.indices {
      wide[i].window.input.width += 260
      // A few channels: lines are divided too.
      wide.append(wide[i])
      (wide[wide.count - 1].inputChannels, wide[wide.count - 1].outputChannels) = (16, 16)
      wide[wide.count - 1].groups = 16
    }
    for (turn, problem) in wide.enumerated() {
      for direction in ConvolutionDirection.allCases {
        var d = problem
        d.algorithm = .depthwise
        let trial = ConvolutionTrial(d, direction, accumulate: turn % 2 == 0, seed: UInt64(turn))
        let plan = try ConvolutionPlan(d, direction: direction, context: serial)
        let reference = try trial.run(plan, serial)
        for context in contexts {
          if let difference = trial.difference(reference, try trial.run(plan, context)) {
            Issue.record("\(trial) \(context.threads): \(difference)")
          }
        }
      }
    }
  }
}
