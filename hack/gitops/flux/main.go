// What Flux and Helm make of a TestRun: its status by kstatus and by a health check expression, and how a reconciliation ends.
//
// Nothing of that is decided here: these are the libraries that Flux's controllers (and, for kstatus, Helm 4) consist of.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const usage = "usage: flux health KUSTOMIZATION.YAML | reconcile KUSTOMIZATION.YAML NAMESPACE   (objects on standard input)"

func main() {
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 2 && arguments[0] == "health":
		printHealth(read(arguments[1]))
	case len(arguments) == 3 && arguments[0] == "reconcile":
		reconcile(read(arguments[1]), arguments[2])
	default:
		fail(usage)
	}
}

// kustomization is what matters here of Flux's Kustomization.
type kustomization struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Force            bool                          `json:"force"`
		HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
	} `json:"spec"`
}

func read(path string) kustomization {
	text, err := os.ReadFile(path)
	check(err)
	var found kustomization
	check(yaml.Unmarshal(text, &found))
	if len(found.Spec.HealthCheckExprs) == 0 {
		fail(path + " has no spec.healthCheckExprs")
	}
	return found
}

// answer is what is made of one object.
type answer struct {
	Status      status.Status `json:"status"`      // by kstatus
	Message     string        `json:"message"`     // of kstatus
	Expressions status.Status `json:"expressions"` // by the health check expressions
}

func printHealth(found kustomization) {
	evaluator, err := cel.NewStatusEvaluator(&found.Spec.HealthCheckExprs[0].HealthCheckExpressions)
	check(err)
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if err == io.EOF {
			return
		}
		check(err)
		object := &unstructured.Unstructured{}
		check(object.UnmarshalJSON(raw))
		computed, err := status.Compute(object)
		check(err)
		evaluated, err := evaluator.Evaluate(context.Background(), object)
		check(err)
		check(encoder.Encode(answer{computed.Status, computed.Message, evaluated.Status}))
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
