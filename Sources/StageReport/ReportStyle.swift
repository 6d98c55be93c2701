/// How reports look.
enum ReportStyle {
    /// Colours of stages are told apart also by those who see no red or green, in light and in dark.
    static let css = """
        :root { color-scheme: light dark; --ground: #fbfbfa; --panel: #fff; --ink: #1d2126; --faint: #646b75; --rule: #e1e3e6;
          --good: #1a7f4b; --attention: #a15c00; --bad: #c0312b; --s0: #2a6fdb; --s1: #d9730d; --s2: #0f8f7e; --s3: #a24bc4;
          --s4: #8a7500; --s5: #d1366f; --s6: #4c5fd5; --s7: #5d7a1f; }
        @media (prefers-color-scheme: dark) { :root { --ground: #14171a; --panel: #1c2024; --ink: #e6e8ea; --faint: #9aa3ad; --rule: #30363c;
          --good: #4cc38a; --attention: #f0a53c; --bad: #ff7a70; --s0: #6ea8ff; --s1: #ff9f4a; --s2: #3ecfb8; --s3: #cf8cf0;
          --s4: #d6bf3e; --s5: #ff7fa8; --s6: #9aa7ff; --s7: #a5c95b; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
        main { max-width: 960px; margin: 0 auto; padding: 24px 16px 48px; }
        header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; }
        h1 { font-size: 26px; margin: 0; overflow-wrap: anywhere; }
        h2 { font-size: 16px; margin: 0 0 8px; }
        section { background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; padding: 16px; margin-top: 16px; }
        .badge { border: 1px solid; border-radius: 99px; padding: 1px 12px; font-weight: 600; }
        .badge.good { color: var(--good); } .badge.bad { color: var(--bad); } .badge.attention { color: var(--attention); }
        .message { color: var(--bad); overflow-wrap: anywhere; }
        .saved { margin: 14px 0 0; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); gap: 10px; margin: 16px 0 0; }
        .tiles div { background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; padding: 8px 12px; }
        .tiles dt { color: var(--faint); font-size: 13px; } .tiles dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
        .tiles .bad dd { color: var(--bad); }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; font-size: 14px; }
        th { text-align: left; font-weight: 500; color: var(--faint); }
        th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--rule); vertical-align: top; white-space: nowrap; }
        tr:last-child td { border-bottom: 0; }
        td.w { white-space: normal; overflow-wrap: anywhere; min-width: 15em; }
        .n { text-align: right; font-variant-numeric: tabular-nums; }
        code { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
        summary { cursor: pointer; color: var(--faint); } details[open] summary { margin-bottom: 8px; }
        .note, footer { color: var(--faint); font-size: 13px; margin: 0 0 8px; } footer { margin-top: 24px; }
        figure { margin: 6px 0 0; display: grid; grid-template-columns: 58px 1fr; row-gap: 4px; }
        .axis { position: relative; } .axis span { position: absolute; right: 8px; transform: translateY(50%); font-size: 12px; line-height: 1; color: var(--faint); white-space: nowrap; }
        .below { grid-column: 2; display: flex; justify-content: space-between; font-size: 12px; color: var(--faint); }
        .plot { display: block; width: 100%; height: 200px; overflow: visible; } .plot.lane { height: 34px; } .plot.spark { height: 30px; width: 100%; }
        path { vector-effect: non-scaling-stroke; fill: none; } .grid { stroke: var(--rule); stroke-width: 1; }
        .line { stroke: var(--c); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; } .area { fill: var(--c); opacity: .14; } .box { fill: var(--c); }
        .box.bad { fill: var(--bad); } .track { fill: var(--rule); }
        .s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
        .s4 { --c: var(--s4); } .s5 { --c: var(--s5); } .s6 { --c: var(--s6); } .s7 { --c: var(--s7); }
        .dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; background: var(--c); margin-right: 7px; }
        .mark { stroke: var(--c); stroke-width: 8; stroke-linecap: round; } .death { --c: var(--attention); } .poison { --c: var(--bad); }
        .restart { --c: var(--good); } .mark.restart { stroke-width: 5; } .word { --c: var(--s0); } .band { fill: var(--rule); stroke: var(--panel); stroke-width: 2; }
        .legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; color: var(--faint); margin: 6px 0 8px; }
        .lanes { display: grid; grid-template-columns: minmax(48px, max-content) 1fr; gap: 2px 12px; align-items: center; font-size: 13px; }
        .latency { display: grid; grid-template-columns: max-content minmax(110px, 1fr) max-content max-content minmax(110px, 1fr) max-content max-content;
          gap: 6px 12px; align-items: end; font-size: 14px; min-width: 620px; } .latency b { font-weight: 500; color: var(--faint); font-size: 13px; }
        .ends { display: flex; justify-content: space-between; font-size: 12px; color: var(--faint); }
        .bar { display: grid; grid-template-columns: 92px 1fr max-content; gap: 2px 12px; align-items: center; margin-top: 6px; }
        .bar small { grid-column: 2 / 4; color: var(--faint); } .strip { width: 100%; height: 12px; }
        """
}
