// What Argo CD makes of a TestRun: its health, whether it has drifted, and how a sync with hooks ends.
//
// Nothing of that is decided here: scripts run in Argo CD's own Lua machine, and differences and syncs are its own engine's.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const usage = "usage: argocd health ARGOCD-CM.YAML | diff | sync ARGOCD-CM.YAML NAMESPACE   (objects on standard input)"

// healthKey is how a script is registered in argocd-cm: followed by GROUP_KIND.
const healthKey = "resource.customizations.health."

func main() {
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 2 && arguments[0] == "health":
		printHealth(overrides(arguments[1]))
	case len(arguments) == 1 && arguments[0] == "diff":
		printDifferences()
	case len(arguments) == 3 && arguments[0] == "sync":
		syncOnce(overrides(arguments[1]), arguments[2])
	default:
		fail(usage)
	}
}

// overrides reads the health scripts of a ConfigMap as Argo CD does.
func overrides(path string) lua.ResourceHealthOverrides {
	text, err := os.ReadFile(path)
	check(err)
	var configMap struct {
		Data map[string]string `json:"data"`
	}
	check(yaml.Unmarshal(text, &configMap))
	found := lua.ResourceHealthOverrides{}
	for key, script := range configMap.Data {
		if kind, ok := strings.CutPrefix(key, healthKey); ok {
			group, kind, _ := strings.Cut(kind, "_")
			found[group+"/"+kind] = v1alpha1.ResourceOverride{HealthLua: script}
		}
	}
	if len(found) == 0 {
		fail(path + " has no key " + healthKey + "GROUP_KIND")
	}
	return found
}

// printHealth answers each object with its health as Argo CD shows it; {} when it would show none.
func printHealth(scripts health.HealthOverride) {
	each(func(object *unstructured.Unstructured) any {
		status, err := health.GetResourceHealth(object, scripts)
		check(err)
		if status == nil {
			return struct{}{}
		}
		return status
	})
}

// printDifferences answers each {"config": ..., "live": ...} with whether Argo CD calls it OutOfSync.
func printDifferences() {
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var pair struct{ Config, Live json.RawMessage }
		err := decoder.Decode(&pair)
		if err == io.EOF {
			return
		}
		check(err)
		config, live := &unstructured.Unstructured{}, &unstructured.Unstructured{}
		check(config.UnmarshalJSON(pair.Config))
		check(live.UnmarshalJSON(pair.Live))
		result, err := diff.Diff(config, live, diff.WithLogr(logr.Discard()))
		check(err)
		check(encoder.Encode(map[string]any{"modified": result.Modified, "wanted": json.RawMessage(result.PredictedLive)}))
	}
}

func each(answer func(*unstructured.Unstructured) any) {
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		// Not a plain map: whole numbers have to be integers, as they are in objects of an API server.
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if err == io.EOF {
			return
		}
		check(err)
		object := &unstructured.Unstructured{}
		check(object.UnmarshalJSON(raw))
		check(encoder.Encode(answer(object)))
	}
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
