import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

/// Depthwise layers of stride 2 whose pixels lie a multiple of 512 bytes apart: bands of lines, read a row at a time.
@Suite struct DepthwiseBandTests {
  /// Positions of a line: blocks of seven and four, and some alone; of lines more than a band has, and fewer.
  static func problems(_ type: DataType) -> [ConvolutionDescriptor] {
    func plane(_ height: Int, _ width: Int, _ pad: Int, channels: Int = 128) -> ConvolutionDescriptor {
      var d = ConvolutionDescriptor.plane(
        type, channels: channels, height: height, width: width, filters: channels, kernel: 3, stride: 2, pad: pad)
      d.groups = channels
      return d
    }
    var list = [plane(26, 26, 1), plane(33, 27, 1), plane(17, 23, 0), plane(13, 30, 2), plane(12, 7, 1, channels: 256)]
    list[1].batch = 2
    // The line before the first row has no row of its own.
    list[3].window.padBefore = Extents(0, 3, 1)
    var deep = plane(14, 140, 1)
    deep.window = SpatialWindow(rank: 3, input: Extents(3, 14, 140), window: Extents(3, 3, 3))
    deep.window.stride = Extents(1, 2, 2)
    deep.window.padBefore = Extents(1, 1, 1)
    deep.window.padAfter = Extents(1, 1, 1)
    list.append(deep)
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
