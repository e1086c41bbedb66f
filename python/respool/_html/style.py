"""How it looks, in light and in dark.

Colours are those of the place where it is shown, JupyterLab's or VS Code's, and else what the reader's system
asks for. The box has a background of its own, so that text is readable whatever is behind it.
"""

STYLE = """
.respool{--rs-fg:var(--jp-content-font-color0,var(--vscode-editor-foreground,#1f2328));
--rs-faint:var(--jp-content-font-color2,var(--vscode-descriptionForeground,#59636e));
--rs-bg:var(--jp-layout-color0,var(--vscode-editor-background,#ffffff));
--rs-line:var(--jp-border-color2,var(--vscode-panel-border,#d1d9e0));
--rs-memory:#1a7f8e;--rs-log:#c98a1b;--rs-gone:#8c959f;--rs-good:#1a7f37;--rs-busy:#0969da;--rs-bad:#cf222e}
@media (prefers-color-scheme:dark){.respool{
--rs-fg:var(--jp-content-font-color0,var(--vscode-editor-foreground,#e6edf3));
--rs-faint:var(--jp-content-font-color2,var(--vscode-descriptionForeground,#9198a1));
--rs-bg:var(--jp-layout-color0,var(--vscode-editor-background,#0d1117));
--rs-line:var(--jp-border-color2,var(--vscode-panel-border,#3d444d))}}
html[data-theme=dark] .respool,body[data-theme=dark] .respool,body[data-jp-theme-light=false] .respool,
body.vscode-dark .respool{--rs-fg:var(--jp-content-font-color0,var(--vscode-editor-foreground,#e6edf3));
--rs-faint:var(--jp-content-font-color2,var(--vscode-descriptionForeground,#9198a1));
--rs-bg:var(--jp-layout-color0,var(--vscode-editor-background,#0d1117));
--rs-line:var(--jp-border-color2,var(--vscode-panel-border,#3d444d));
--rs-memory:#3fb8c9;--rs-log:#e3b341;--rs-gone:#6e7681;--rs-good:#3fb950;--rs-busy:#58a6ff;--rs-bad:#ff7b72}
@media (prefers-color-scheme:dark){html:not([data-theme=light])
body:not([data-theme=light]):not([data-jp-theme-light=true]):not(.vscode-light) .respool{
--rs-memory:#3fb8c9;--rs-log:#e3b341;--rs-gone:#6e7681;--rs-good:#3fb950;--rs-busy:#58a6ff;--rs-bad:#ff7b72}}
.respool .rs-plain{display:none}
.respool .rs-box{color:var(--rs-fg);background:var(--rs-bg);border:1px solid var(--rs-line);border-radius:6px;
box-sizing:border-box;width:100%;max-width:960px;padding:10px 14px;font:13px/1.45 system-ui,sans-serif;overflow:hidden}
.respool .rs-head{display:flex;flex-wrap:wrap;gap:2px 8px;align-items:baseline;margin-bottom:8px}
.respool .rs-path{color:var(--rs-faint);overflow-wrap:anywhere;font-family:ui-monospace,monospace;font-size:12px}
.respool .rs-state{border:1px solid currentColor;border-radius:10px;padding:0 8px;font-size:12px;color:var(--rs-faint)}
.respool .rs-complete{color:var(--rs-good)}
.respool .rs-filling,.respool .rs-growing{color:var(--rs-busy)}
.respool .rs-failed,.respool .rs-abandoned,.respool .rs-unreadable,.respool .rs-failure{color:var(--rs-bad)}
.respool .rs-failure{margin:0 0 8px;overflow-wrap:anywhere}
.respool .rs-bar{display:flex;height:16px;border-radius:3px;overflow:hidden;border:1px solid var(--rs-line)}
.respool .rs-bar i{flex:1 1 0;min-width:1px;background:linear-gradient(to top,var(--rs-memory) 0 var(--rs-m),
var(--rs-log) var(--rs-m) var(--rs-l),var(--rs-gone) var(--rs-l) 100%)}
.respool .rs-bar .rs-unread{flex:0 0 18%}
.respool .rs-bar .rs-unread,.respool .rs-key-unread{background:repeating-linear-gradient(45deg,transparent 0 4px,
var(--rs-line) 4px 6px)}
.respool .rs-bar .rs-end{flex:0 0 6px;background:var(--rs-bad)}
.respool .rs-legend{display:flex;flex-wrap:wrap;gap:2px 14px;margin:4px 0 8px;font-size:12px;color:var(--rs-faint)}
.respool .rs-key{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:5px;
border:1px solid var(--rs-line);box-sizing:border-box}
.respool .rs-key-memory{background:var(--rs-memory)}.respool .rs-key-log{background:var(--rs-log)}
.respool .rs-key-gone{background:var(--rs-gone)}
.respool .rs-counters{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));
gap:4px 14px;margin:0 0 8px}
.respool dt{color:var(--rs-faint);font-size:11px;font-weight:normal;margin:0;padding:0}
.respool dd{margin:0;padding:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.respool details{border-top:1px solid var(--rs-line);padding:4px 0}
.respool summary{cursor:pointer;color:var(--rs-fg);font-weight:600}
.respool .rs-wide{overflow-x:auto;max-width:100%}
.respool table{border-collapse:collapse;margin:4px 0;font-size:12px;color:var(--rs-fg);border:none}
.respool th,.respool td{text-align:left;padding:2px 12px 2px 0;border:none;background:none;color:inherit;
vertical-align:top}
.respool th{color:var(--rs-faint);font-weight:normal}
.respool td{font-family:ui-monospace,monospace}
.respool details>table td{overflow-wrap:anywhere}
.respool .rs-wide td{white-space:pre}
.respool .rs-number{text-align:right}
.respool td.rs-faint{color:var(--rs-faint);white-space:nowrap}
.respool td.rs-type{color:var(--rs-faint)}
"""
